// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Names of cgroups as they are made: a container that ends before anybody looks for its
 * folder is known all the same.
 */
#include "kernel.h"

struct folder {
	u64 id;
	u32 length; /* of the path, its NUL included; sizeof(path): it may be cut */
	u32 pad;
	char path[496]; /* from the hierarchy's root */
};

struct watched {
	u32 hierarchy; /* id of the hierarchy that is told; 0: v2 */
	u32 pad;
	u64 lost;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct watched);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
} folders SEC(".maps");

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_mkdir, struct cgroup *cgroup, const char *path)
{
	u32 zero = 0;
	struct watched *w = bpf_map_lookup_elem(&watched, &zero);

	if (!w || cgroup->root->hierarchy_id != w->hierarchy)
		return 0;
	struct folder *f = bpf_ringbuf_reserve(&folders, sizeof(*f), 0);
	if (!f) {
		__sync_fetch_and_add(&w->lost, 1);
		return 0;
	}
	f->id = cgroup->kn->id;
	long length = bpf_probe_read_kernel_str(f->path, sizeof(f->path), path);
	f->length = length < 0 ? 0 : length;
	f->pad = 0;
	bpf_ringbuf_submit(f, BPF_RB_NO_WAKEUP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
