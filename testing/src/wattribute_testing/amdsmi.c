/* A fake libamd_smi.so: the part of AMD SMI that Wattribute uses, with the real ABI.
 *
 * What it answers is in the file "amdsmi.script" beside the library, read at every call:
 *
 *   init CODE                        amdsmi_init answers CODE
 *   gpu BDF NAME UNITS               one more device: 64 bits of address; "_" in NAME is a space
 * and of the device before it:
 *   error CODE                       every call answers CODE
 *   fail CALL CODE                   one call does: energy power activity vram processes asic
 *   energy COUNTS RESOLUTION | power CURRENT AVERAGE | activity PERCENT | vram USED TOTAL
 *   process PID BYTES ENGINE_NS UNITS
 *
 * Structures after amdsmi.h, as the package amdsmi declares them. All other functions that the
 * package looks for answer NOT_SUPPORTED; their names are compiled in (OTHERS).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { OK = 0, INVAL = 1, NOT_SUPPORTED = 2, NOT_INIT = 32, DRIVER_NOT_LOADED = 34 };
enum { MAX_GPUS = 80, MAX_ROWS = 64, MAX_FAILS = 8 };

struct process { uint32_t pid, units; uint64_t bytes, engine_ns; };
struct fail { char call[16]; int code; };
struct gpu {
	uint64_t bdf;
	char name[96];
	uint32_t units;
	int error, fails_count, processes_count;
	uint64_t counts;
	float resolution;
	uint32_t current, average, activity, used, total;
	struct fail fails[MAX_FAILS];
	struct process processes[MAX_ROWS];
};

static struct gpu gpus[MAX_GPUS];
static int gpus_count, init_code, initialized;

static void line(char *text)
{
	struct gpu *gpu = gpus_count ? &gpus[gpus_count - 1] : NULL;
	unsigned long long a, b;
	unsigned n, m;
	char word[32];
	float f;
	int at = 0;

	if (sscanf(text, "%31s%n", word, &at) != 1)
		return;
	text += at;
	if (!strcmp(word, "init")) {
		sscanf(text, "%d", &init_code);
	} else if (!strcmp(word, "gpu") && gpus_count < MAX_GPUS) {
		gpu = &gpus[gpus_count++];
		memset(gpu, 0, sizeof(*gpu));
		gpu->activity = gpu->current = gpu->average = 0xffff;
		if (sscanf(text, "%llu %95s %u", &a, gpu->name, &n) == 3) {
			gpu->bdf = a;
			gpu->units = n;
		}
		for (char *c = gpu->name; *c; c++)
			*c = *c == '_' ? ' ' : *c;
	} else if (!gpu) {
		return;
	} else if (!strcmp(word, "error")) {
		sscanf(text, "%d", &gpu->error);
	} else if (!strcmp(word, "fail") && gpu->fails_count < MAX_FAILS) {
		struct fail *fail = &gpu->fails[gpu->fails_count];
		gpu->fails_count += sscanf(text, "%15s %d", fail->call, &fail->code) == 2;
	} else if (!strcmp(word, "energy") && sscanf(text, "%llu %f", &a, &f) == 2) {
		gpu->counts = a;
		gpu->resolution = f;
	} else if (!strcmp(word, "power") && sscanf(text, "%u %u", &n, &m) == 2) {
		gpu->current = n;
		gpu->average = m;
	} else if (!strcmp(word, "activity")) {
		sscanf(text, "%u", &gpu->activity);
	} else if (!strcmp(word, "vram") && sscanf(text, "%u %u", &n, &m) == 2) {
		gpu->used = n;
		gpu->total = m;
	} else if (!strcmp(word, "process") && gpu->processes_count < MAX_ROWS) {
		if (sscanf(text, "%u %llu %llu %u", &n, &a, &b, &m) == 4)
			gpu->processes[gpu->processes_count++] = (struct process){ n, m, a, b };
	}
}

static int load(void)
{
	static char path[4096];
	char text[512];
	Dl_info self;
	FILE *file;

	if (!*path) {
		char *slash;
		if (!dladdr((void *)load, &self) || strlen(self.dli_fname) > sizeof(path) - 32)
			return 0;
		strcpy(path, self.dli_fname);
		slash = strrchr(path, '/');
		strcpy(slash ? slash + 1 : path, "amdsmi.script");
	}
	file = fopen(path, "r");
	if (!file)
		return 0;
	gpus_count = init_code = 0;
	while (fgets(text, sizeof(text), file))
		line(text);
	fclose(file);
	return 1;
}

/* Sockets and devices are numbered from 1; each device has a socket of its own. */
static struct gpu *of(void *handle)
{
	size_t number = (size_t)handle;
	return number && number <= (size_t)gpus_count ? &gpus[number - 1] : NULL;
}

static int check(void *handle, const char *call)
{
	struct gpu *gpu;

	if (!initialized)
		return NOT_INIT;
	if (!load())
		return DRIVER_NOT_LOADED;
	gpu = of(handle);
	if (!gpu)
		return INVAL;
	for (int i = 0; i < gpu->fails_count; i++)
		if (!strcmp(gpu->fails[i].call, call))
			return gpu->fails[i].code;
	return gpu->error;
}

int amdsmi_init(uint64_t flags)
{
	(void)flags;
	if (!load())
		return DRIVER_NOT_LOADED;
	initialized = !init_code;
	return init_code;
}

int amdsmi_shut_down(void)
{
	initialized = 0;
	return OK;
}

int amdsmi_get_socket_handles(uint32_t *count, void **handles)
{
	if (!initialized || !load())
		return NOT_INIT;
	for (uint32_t i = 0; handles && i < *count; i++)
		handles[i] = (void *)(size_t)(i + 1);
	*count = (uint32_t)gpus_count;
	return OK;
}

int amdsmi_get_processor_handles(void *socket, uint32_t *count, void **handles)
{
	if (handles && *count)
		*handles = socket;
	*count = 1;
	return initialized ? OK : NOT_INIT;
}

int amdsmi_get_gpu_device_bdf(void *handle, uint64_t *out)
{
	int code = check(handle, "bdf");
	if (!code)
		*out = of(handle)->bdf;
	return code;
}

#pragma pack(push, 1)
struct asic {
	char market_name[256];
	uint32_t vendor_id;
	char vendor_name[256];
	uint32_t subvendor_id;
	uint64_t device_id;
	uint32_t rev_id;
	char serial[256];
	uint32_t oam_id, units, padding;
	uint64_t version;
	uint32_t subsystem_id, reserved[21];
};
struct power {
	uint64_t socket;
	uint32_t current, average;
	uint64_t voltages[3];
	uint32_t limit, padding;
	uint64_t reserved[18];
};
struct info {
	char name[256];
	uint32_t pid, padding;
	uint64_t mem, gfx, enc;
	uint32_t reserved_engine[12];
	uint64_t gtt, cpu, vram;
	uint32_t reserved_memory[10];
	char container[256];
	uint32_t units, reserved[11];
};
#pragma pack(pop)

int amdsmi_get_gpu_asic_info(void *handle, struct asic *out)
{
	int code = check(handle, "asic");

	memset(out, 0, sizeof(*out));
	if (!code) {
		strcpy(out->market_name, of(handle)->name);
		strcpy(out->serial, "0x1");
		out->units = of(handle)->units;
	}
	return code;
}

int amdsmi_get_energy_count(void *handle, uint64_t *counts, float *resolution, uint64_t *at)
{
	int code = check(handle, "energy");

	if (code)
		return code;
	*counts = of(handle)->counts;
	*resolution = of(handle)->resolution;
	*at = 1;
	return OK;
}

int amdsmi_get_power_info(void *handle, struct power *out)
{
	int code = check(handle, "power");

	memset(out, 0, sizeof(*out));
	if (!code) {
		out->current = of(handle)->current;
		out->average = of(handle)->average;
	}
	return code;
}

int amdsmi_get_gpu_activity(void *handle, uint32_t out[16])
{
	int code = check(handle, "activity");

	memset(out, 0, 64);
	if (!code)
		out[0] = of(handle)->activity;
	return code;
}

int amdsmi_get_gpu_vram_usage(void *handle, uint32_t out[4])
{
	int code = check(handle, "vram");

	if (!code) {
		out[0] = of(handle)->total;
		out[1] = of(handle)->used;
	}
	return code;
}

int amdsmi_get_gpu_process_list(void *handle, uint32_t *count, struct info *out)
{
	int code = check(handle, "processes");
	uint32_t there;

	if (code)
		return code;
	there = (uint32_t)of(handle)->processes_count;
	for (uint32_t i = 0; i < there && i < *count; i++) {
		struct process *process = &of(handle)->processes[i];
		memset(&out[i], 0, sizeof(*out));
		out[i].pid = process->pid;
		out[i].mem = out[i].vram = process->bytes;
		out[i].gfx = process->engine_ns;
		out[i].units = process->units;
	}
	*count = there;
	return OK;
}

#define OTHER(name) int name(void) { return NOT_SUPPORTED; }
OTHERS
