/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, as far as our programs touch them.
 *
 * Offsets here mean nothing: the loader replaces each one by that of the running
 * kernel (CO-RE, from /sys/kernel/btf/vmlinux). Names and sizes of the fields do.
 */
#pragma once
#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;

#define OF_THE_KERNEL __attribute__((preserve_access_index))

#define PF_KTHREAD 0x00200000 /* task_struct.flags: a kernel thread */
#define TASK_DEAD 0x80        /* task_struct.__state: this switch is its last */
#define TASK_COMM_LEN 16

struct kernfs_node {
	u64 id; /* the inode number of the cgroup's folder */
} OF_THE_KERNEL;

struct cgroup_root {
	int hierarchy_id;
} OF_THE_KERNEL;

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
} OF_THE_KERNEL;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
} OF_THE_KERNEL;

struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp; /* in the v2 hierarchy */
} OF_THE_KERNEL;

enum cgroup_subsys_id { cpuacct_cgrp_id };

typedef struct {
	int counter;
} atomic_t;

struct sched_entity {
	u64 sum_exec_runtime; /* ns; of a running task as of its last tick or switch */
} OF_THE_KERNEL;

struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
	unsigned long long sum_sched_runtime; /* ns, of threads that were reaped */
} OF_THE_KERNEL;

struct task_struct {
	unsigned int flags;
	int pid;  /* what user space calls tid */
	int tgid; /* what user space calls pid */
	struct task_struct *real_parent, *group_leader;
	u64 start_boottime;
	char comm[TASK_COMM_LEN];
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct sched_entity se;
	int nr_cpus_allowed;
	const void *cpus_ptr; /* struct cpumask */
	unsigned int __state; /* since 5.14 */
} OF_THE_KERNEL;

struct task_struct___before_5_14 {
	volatile long state;
} OF_THE_KERNEL;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} OF_THE_KERNEL;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} OF_THE_KERNEL;

/* A process, for as long as the machine is up: pid and start time (boot clock) in one number. */
static __always_inline u64 process_key(u32 tgid, u64 start_ns)
{
	return (u64)tgid << 40 | (start_ns >> 10 & ((1ULL << 40) - 1));
}

/* Where a task's pointer to its cgroup of the cpuacct hierarchy (cgroup v1) lies in its css_set. */
#define CPUACCT_SLOT                                                                   \
	(bpf_core_field_offset(struct css_set, subsys) +                               \
	 sizeof(void *) * bpf_core_enum_value(enum cgroup_subsys_id, cpuacct_cgrp_id))

/* Id of the task's cgroup in the v2 hierarchy, or in cpuacct's; 0 where there is none. For a task
 * that the verifier knows as one (tp_btf, iter): plain loads, a third of the cost. */
static __always_inline u64 cgroup_of(struct task_struct *task, bool cpuacct)
{
	if (!cpuacct)
		return task->cgroups->dfl_cgrp->kn->id;
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, cpuacct_cgrp_id))
		return 0;
	struct cgroup_subsys_state **slot = (void *)task->cgroups + CPUACCT_SLOT;
	return (*slot)->cgroup->kn->id;
}

/* The same for a task known by its address only. */
static __always_inline u64 cgroup_at(struct task_struct *task, bool cpuacct)
{
	if (!cpuacct)
		return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, cpuacct_cgrp_id))
		return 0;
	struct cgroup_subsys_state *state = 0;
	bpf_probe_read_kernel(&state, sizeof(state),
			      (void *)BPF_CORE_READ(task, cgroups) + CPUACCT_SLOT);
	return BPF_CORE_READ(state, cgroup, kn, id);
}
