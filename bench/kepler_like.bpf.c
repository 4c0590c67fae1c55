// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a context switch costs in the design of Kepler 0.7 to 0.9, to compare with ours.
 *
 * Written from its description, none of its code: at each switch, read three perf
 * counters and keep their last values per CPU in array maps; look up and delete the
 * start time of the task that leaves, and set that of the task that comes, in an LRU
 * hash; add the differences to the leaver's entry in a second LRU hash, and make one
 * for the comer.
 */
#include "../src/wattribute/node/activity/bpf/kernel.h"

#define CPUS 128

struct process {
	u64 cgroup;
	u64 pid;
	u64 run_us;
	u64 events[3];
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, struct process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, u64);
} started SEC(".maps");

#define COUNTER(n)                                           \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); \
		__uint(max_entries, CPUS);                   \
		__uint(key_size, sizeof(u32));               \
		__uint(value_size, sizeof(u32));             \
	} event##n SEC(".maps");                             \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_ARRAY);            \
		__uint(max_entries, CPUS);                   \
		__type(key, u32);                            \
		__type(value, u64);                          \
	} last##n SEC(".maps")
COUNTER(0);
COUNTER(1);
COUNTER(2);

static __always_inline u64 advance(void *counters, void *last, u32 cpu)
{
	struct bpf_perf_event_value value = {};
	u64 now, *before, moved = 0;

	if (bpf_perf_event_read_value(counters, cpu, &value, sizeof(value)))
		return 0;
	now = value.counter;
	before = bpf_map_lookup_elem(last, &cpu);
	if (before && now >= *before)
		moved = now - *before;
	bpf_map_update_elem(last, &cpu, &now, BPF_ANY);
	return moved;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u32 cpu = bpf_get_smp_processor_id();
	u32 leaver = prev->pid, comer = next->pid, leader = prev->tgid, next_leader = next->tgid;
	u64 now = bpf_ktime_get_ns(), run_us = 0, *since;
	u64 moved0 = advance(&event0, &last0, cpu);
	u64 moved1 = advance(&event1, &last1, cpu);
	u64 moved2 = advance(&event2, &last2, cpu);
	struct process *process;

	since = bpf_map_lookup_elem(&started, &leaver);
	if (since) {
		run_us = (now - *since) / 1000;
		bpf_map_delete_elem(&started, &leaver);
	}
	process = bpf_map_lookup_elem(&processes, &leader);
	if (process) {
		process->run_us += run_us;
		process->events[0] += moved0;
		process->events[1] += moved1;
		process->events[2] += moved2;
	}
	bpf_map_update_elem(&started, &comer, &now, BPF_ANY);
	if (!bpf_map_lookup_elem(&processes, &next_leader)) {
		struct process fresh = {.pid = next_leader, .cgroup = cgroup_of(next, false)};

		BPF_CORE_READ_INTO(&fresh.comm, next, comm);
		bpf_map_update_elem(&processes, &next_leader, &fresh, BPF_NOEXIST);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
