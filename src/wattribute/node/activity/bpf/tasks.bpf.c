// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The scheduler's own books: sum_exec_runtime of every task, in nanoseconds.
 *
 * Nothing runs on the context-switch path. dump_task writes one record per thread
 * when it is asked to; on_exit and on_free keep the last word of those that die in
 * between.
 */
#include "kernel.h"

#define PACKAGES 8 /* more: no affinity is told */
#define WORDS 16   /* 1,024 CPUs */

enum { KERNEL_THREAD = 1, LEADER = 2 };

struct task {
	u64 key;         /* of the process */
	u64 cgroup;
	u64 ns;          /* this thread's time; in on_exit's record: when it exited (boot clock) */
	u64 reaped_ns;   /* the leader's record: time of its reaped threads; a dead one's: all its time */
	u32 pid;         /* the thread's own */
	u32 parent;
	u32 allowed;     /* bit p: it may run on package p; 0: on all, or not known */
	u32 flags;
	char comm[TASK_COMM_LEN];
};

struct shared {
	u64 attached_ns; /* boot clock */
	u32 cpuacct;     /* cgroups of: 0 the v2 hierarchy, 1 that of cpuacct */
	u32 cpus;        /* online */
	u32 words;       /* of the masks below; 0: there is one package */
	u32 pad;
	u64 lost_exits, lost_frees;
	u64 package_cpus[WORDS][PACKAGES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct shared);
} shared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} dead SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct task);
} dying SEC(".maps");

static __always_inline struct shared *get_shared(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&shared, &zero);
}

/* Only pinned tasks pay for the loop: machines with several packages, and less than all CPUs. */
static __always_inline u32 packages_allowed(struct task_struct *t, const struct shared *s)
{
	u32 words = s->words, allowed = 0;

	if (!words || t->nr_cpus_allowed >= s->cpus)
		return 0;
	const void *mask = BPF_CORE_READ(t, cpus_ptr);
	for (u32 w = 0; w < WORDS; w++) {
		u64 cpus = 0;

		if (w >= words)
			break;
		bpf_probe_read_kernel(&cpus, sizeof(cpus), mask + sizeof(cpus) * w);
#pragma unroll
		for (u32 p = 0; p < PACKAGES; p++)
			if (cpus & s->package_cpus[w][p])
				allowed |= 1U << p;
	}
	return allowed;
}

static __always_inline void describe(struct task *r, struct task_struct *t, const struct shared *s)
{
	bool leader = t->pid == t->tgid;

	/* A process without threads is its own leader, also when that pointer is stale (on_free). */
	r->key = process_key(t->tgid, leader ? t->start_boottime : t->group_leader->start_boottime);
	r->cgroup = cgroup_of(t, s->cpuacct);
	r->ns = t->se.sum_exec_runtime;
	r->reaped_ns = leader ? t->signal->sum_sched_runtime : 0;
	r->pid = t->pid;
	r->parent = t->real_parent->tgid;
	r->allowed = 0;
	r->flags = (t->flags & PF_KTHREAD ? KERNEL_THREAD : 0) | (leader ? LEADER : 0);
	bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), t->comm);
}

SEC("iter/task")
int dump_task(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct shared *s = get_shared();
	struct task r = {};

	if (!t || !s)
		return 0;
	describe(&r, t, s);
	r.allowed = packages_allowed(t, s);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

/*
 * The last thread begins to exit. Its time is not complete (stale by a tick, and the address
 * space is still to be torn down: 60 % of the time of /bin/true), so this is a safety net for
 * the rare process whose on_free never comes, and the last sight of its parent and cgroup.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *p)
{
	struct shared *s = get_shared();
	struct task_struct *leader = p->group_leader;
	struct task r = {};

	if (!s || p->signal->live.counter)
		return 0;
	describe(&r, leader, s);
	r.allowed = packages_allowed(leader, s);
	r.reaped_ns += r.ns;
	if (p != leader)
		r.reaped_ns += p->se.sum_exec_runtime;
	r.ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&dying, &r.key, &r, BPF_ANY))
		__sync_fetch_and_add(&s->lost_exits, 1);
	return 0;
}

/* After the last switch of the last thread: the total is complete. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *p)
{
	struct shared *s = get_shared();

	if (!s || p->pid != p->tgid)
		return 0; /* a thread: already in signal->sum_sched_runtime */

	/* The parent may have reaped it on another CPU while it still ran: then the sum holds a
	 * stale share of the leader, and the leader's own time, final here, may be the greater. */
	u64 total = p->signal->sum_sched_runtime, own = p->se.sum_exec_runtime;
	u64 key = process_key(p->tgid, p->start_boottime);
	struct task *net = bpf_map_lookup_elem(&dying, &key);

	if (own > total)
		total = own;
	if (!net && p->start_boottime < s->attached_ns)
		return 0; /* it exited before we came: nobody's */
	struct task *r = bpf_ringbuf_reserve(&dead, sizeof(*r), 0);
	if (!r) {
		if (net)
			net->reaped_ns = total; /* read from there, a little later */
		else
			__sync_fetch_and_add(&s->lost_frees, 1);
		return 0;
	}
	if (net) {
		*r = *net;
	} else {
		__builtin_memset(r, 0, sizeof(*r));
		describe(r, p, s);
		r->parent = 0; /* a stale pointer by now */
	}
	r->ns = 0;
	r->reaped_ns = total;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	bpf_map_delete_elem(&dying, &key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
