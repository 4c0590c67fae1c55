// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Time and hardware counters of every process, by cgroup and CPU package.
 *
 * on_switch books what a CPU did since its last switch on the task that leaves it;
 * flush books the same on a task that still runs, and is run on each busy CPU at every
 * read: else a lone busy task would be credited only when it happens to leave.
 */
#include "kernel.h"

#define EVENTS 3
#define NO_SIBLING 0xffff

struct key {
	u64 process;
	u64 cgroup;
	u64 package;
};

struct use {
	u64 ns;
	u64 events[EVENTS];
	u64 corun_ns; /* of ns: the SMT sibling was busy too */
	u64 serial;   /* of this entry: never given twice */
	u32 parent;   /* when it was first seen */
	u16 kernel;
	u16 dead; /* its last thread has left the CPU for good */
	char comm[TASK_COMM_LEN];
};

/* One CPU; written by that CPU alone, but for the last four fields (user space, before attach).
 * Its sibling reads the first three without a lock: a torn read is a wrong corun_ns of one slice,
 * and is cut to that slice. Two cache lines. */
struct cpu {
	u64 since;           /* accounted until then; 0: not yet */
	u64 busy_ns;         /* with a task, until then */
	u64 busy_since;      /* 0: idle */
	u64 sibling_busy_ns; /* of the sibling, as of `since` */
	struct bpf_perf_event_value event[EVENTS];
	u64 task_ns; /* sum_exec_runtime of the running task, as of `since` */
	u64 created;
	u32 task; /* its pid */
	u32 dropped;
	u16 events; /* how many there are */
	u16 cpuacct; /* cgroups of: 0 the v2 hierarchy, 1 that of cpuacct */
	u16 package;
	u16 sibling;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct cpu);
} cpus SEC(".maps");

/* Preallocated: memory cannot be asked for under the scheduler's lock before 6.1. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct key);
	__type(value, struct use);
} uses SEC(".maps");

#define COUNTERS(name)                                       \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); \
		__uint(max_entries, 4096);                   \
		__uint(key_size, sizeof(u32));               \
		__uint(value_size, sizeof(u32));             \
	} name SEC(".maps")
COUNTERS(event0);
COUNTERS(event1);
COUNTERS(event2);

/* What happened on one CPU since it was accounted last. */
struct slice {
	u64 ns;
	u64 corun_ns;
	u64 events[EVENTS];
};

/* Counts since the last read; 0 after the counter was opened anew, or when it cannot be read. Only
 * a flush asks for how long it counted: that costs a third more. */
static __always_inline u64 advance(void *counters, struct cpu *c, u32 i, bool flushed)
{
	u64 before = c->event[i].counter, now;

	if (flushed) {
		if (bpf_perf_event_read_value(counters, BPF_F_CURRENT_CPU, &c->event[i],
					      sizeof(c->event[i])))
			c->event[i].counter = before; /* the helper clears it */
		now = c->event[i].counter;
	} else {
		now = bpf_perf_event_read(counters, BPF_F_CURRENT_CPU);
		if ((long)now < 0 && (long)now > -4096)
			return 0; /* an error's number */
		c->event[i].counter = now;
	}
	return now > before ? now - before : 0;
}

/* A task's time, told by its own runtime: without interrupts and steal, where the scheduler
 * knows them, and equal to what its cgroup's counter says. */
struct stint {
	u32 pid;
	u64 ns;
};

/* Close the CPU's slice at the change from one task to another, or to itself (flush); false when
 * there is nobody to charge. */
static __always_inline bool close_slice(struct slice *s, struct cpu *c, struct stint from,
					struct stint to, bool flushed)
{
	u64 now = bpf_ktime_get_ns(), since = c->since, elapsed = now - since;

	if (c->task == from.pid && from.ns >= c->task_ns)
		s->ns = from.ns - c->task_ns;
	else /* A switch was missed (seen on one kernel, of 10,000 one): at most this. */
		s->ns = from.ns < elapsed ? from.ns : elapsed;
	s->corun_ns = 0;
	c->task = to.pid;
	c->task_ns = to.ns;
	c->since = now;
	if (from.pid && since)
		c->busy_ns += elapsed;
	c->busy_since = to.pid ? now : 0;
	if (c->sibling != NO_SIBLING) {
		u32 index = c->sibling;
		struct cpu *other = bpf_map_lookup_elem(&cpus, &index);

		if (other) {
			u64 busy = other->busy_ns, started = other->busy_since;

			if (started && now > started)
				busy += now - started;
			if (busy > c->sibling_busy_ns)
				s->corun_ns = busy - c->sibling_busy_ns;
			if (s->corun_ns > s->ns)
				s->corun_ns = s->ns;
			c->sibling_busy_ns = busy;
		}
	}
	s->events[0] = c->events > 0 ? advance(&event0, c, 0, flushed) : 0;
	s->events[1] = c->events > 1 ? advance(&event1, c, 1, flushed) : 0;
	s->events[2] = c->events > 2 ? advance(&event2, c, 2, flushed) : 0;
	return since && from.pid;
}

static __always_inline struct use *open_entry(struct key *k, struct task_struct *t, struct cpu *c,
					      u32 cpu)
{
	struct use fresh = {};

	fresh.serial = ++c->created << 16 | cpu;
	fresh.parent = BPF_CORE_READ(t, real_parent, tgid);
	fresh.kernel = BPF_CORE_READ(t, flags) & PF_KTHREAD ? 1 : 0;
	BPF_CORE_READ_STR_INTO(&fresh.comm, t, group_leader, comm);
	bpf_map_update_elem(&uses, k, &fresh, BPF_NOEXIST); /* or another CPU was first */
	return bpf_map_lookup_elem(&uses, k);
}

static __always_inline struct use *charge(struct key *k, struct task_struct *t, struct cpu *c,
					  u32 cpu, const struct slice *s)
{
	struct use *u = bpf_map_lookup_elem(&uses, k);

	if (!u)
		u = open_entry(k, t, c, cpu);
	if (!u) {
		c->dropped++;
		return 0;
	}
	__sync_fetch_and_add(&u->ns, s->ns);
	if (s->corun_ns)
		__sync_fetch_and_add(&u->corun_ns, s->corun_ns);
	if (s->events[0])
		__sync_fetch_and_add(&u->events[0], s->events[0]);
	if (s->events[1])
		__sync_fetch_and_add(&u->events[1], s->events[1]);
	if (s->events[2])
		__sync_fetch_and_add(&u->events[2], s->events[2]);
	return u;
}

static __always_inline bool leaves_for_good(struct task_struct *t)
{
	u64 state;

	if (bpf_core_field_exists(t->__state))
		state = t->__state;
	else
		state = BPF_CORE_READ((struct task_struct___before_5_14 *)t, state);
	return (state & TASK_DEAD) && t->signal->live.counter == 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu *c = bpf_map_lookup_elem(&cpus, &cpu);
	struct stint from = { prev->pid, prev->se.sum_exec_runtime };
	struct stint to = { next->pid, next->se.sum_exec_runtime };
	struct slice s;

	if (!c || !close_slice(&s, c, from, to, false))
		return 0;
	struct key k = {
		.process = process_key(prev->tgid, prev->group_leader->start_boottime),
		.cgroup = cgroup_of(prev, c->cpuacct),
		.package = c->package,
	};
	struct use *u = charge(&k, prev, c, cpu, &s);

	if (u && leaves_for_good(prev))
		u->dead = 1;
	return 0;
}

/* Not attached: user space runs it on a CPU (BPF_F_TEST_RUN_ON_CPU), on top of its task. */
SEC("raw_tp/flush")
int flush(void *ctx)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu *c = bpf_map_lookup_elem(&cpus, &cpu);
	struct task_struct *t = (void *)bpf_get_current_task();
	struct stint it = { BPF_CORE_READ(t, pid), BPF_CORE_READ(t, se.sum_exec_runtime) };
	struct slice s;

	if (!c || !close_slice(&s, c, it, it, true))
		return 0;
	struct key k = {
		.process = process_key(BPF_CORE_READ(t, tgid),
				       BPF_CORE_READ(t, group_leader, start_boottime)),
		.cgroup = cgroup_at(t, c->cpuacct),
		.package = c->package,
	};
	charge(&k, t, c, cpu, &s);
	return 0;
}

/* A new program, a new name: else all that a shell starts would be called like the shell. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *p)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu *c = bpf_map_lookup_elem(&cpus, &cpu);

	if (!c)
		return 0;
	struct key k = {
		.process = process_key(p->tgid, p->group_leader->start_boottime),
		.cgroup = cgroup_of(p, c->cpuacct),
		.package = c->package,
	};
	struct use *u = bpf_map_lookup_elem(&uses, &k);

	if (u) {
		__builtin_memset(u->comm, 0, sizeof(u->comm));
		bpf_probe_read_kernel_str(u->comm, sizeof(u->comm), p->comm);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
