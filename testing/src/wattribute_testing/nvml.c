/* A fake libnvidia-ml.so.1: the part of NVML that Wattribute uses, with the real ABI.
 *
 * What it answers is in the file "nvml.script" beside the library, read again when it changes:
 *
 *   init CODE                        nvmlInit answers CODE
 *   driver VERSION
 *   name_of PID NAME                 of a process
 *   gpu UUID NAME                    one more device; "_" in NAME stands for a space
 * and of the device before it:
 *   error CODE                       every call answers CODE
 *   fail CALL CODE [TIMES]           one call does: energy power average samples compute graphics
 *                                    mps mig memory utilisation gpm instances; "grow" is the
 *                                    second call for a list, when its size has been asked for
 *   energy_mj N | power_mw N | average_mw N
 *   memory USED TOTAL | utilisation PERCENT
 *   process compute|graphics|mps PID BYTES [INSTANCE]
 *   sample AT_US PID SM_PERCENT
 *   mig SLOTS                        MIG mode is on
 *   instance ID SLICES UUID SM_PERCENT
 *
 * Structures after nvml.h, as nvidia-ml-py declares them.
 * Build: cc -shared -fPIC -O1 -Wall -Werror -o libnvidia-ml.so.1 nvml.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6,
	INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9,
};
enum { MAX_GPUS = 128, MAX_ROWS = 1024, MAX_FAILS = 16, MAX_INSTANCES = 8 };
enum { COMPUTE, GRAPHICS, MPS };

struct sample { unsigned pid; unsigned long long at_us; unsigned sm, mem, enc, dec; };
struct process { unsigned pid; unsigned long long bytes; unsigned instance, compute_instance; };
struct fail { char call[16]; int code, times; };
struct instance { unsigned id, slices; char uuid[96]; double sm; };

struct gpu {
	char uuid[96], name[96];
	int error, mig, fails_count, instances_count, samples_count, processes_count[3];
	long long energy_mj, power_mw, average_mw, used, total, utilisation;
	struct fail fails[MAX_FAILS];
	struct instance instances[MAX_INSTANCES];
	struct sample samples[MAX_ROWS];
	struct process processes[3][MAX_ROWS];
};

static struct gpu *gpus;
static int gpus_count, init_code, initialized;
static char driver[80], names[64][96];
static unsigned names_pid[64];
static int names_count;
static struct timespec read_at;
static ino_t read_inode;

static void line(char *text)
{
	struct gpu *gpu = gpus_count ? &gpus[gpus_count - 1] : NULL;
	char word[32], a[96], b[96];
	unsigned long long n, m;
	unsigned id, slices;
	int at = 0, code, times;
	double sm;

	if (sscanf(text, "%31s%n", word, &at) != 1)
		return;
	text += at;
	if (!strcmp(word, "init")) {
		sscanf(text, "%d", &init_code);
	} else if (!strcmp(word, "driver")) {
		sscanf(text, "%79s", driver);
	} else if (!strcmp(word, "name_of") && names_count < 64) {
		if (sscanf(text, "%u %95s", &names_pid[names_count], names[names_count]) == 2)
			names_count++;
	} else if (!strcmp(word, "gpu") && gpus_count < MAX_GPUS) {
		gpu = &gpus[gpus_count++];
		memset(gpu, 0, sizeof(*gpu));
		gpu->energy_mj = gpu->power_mw = gpu->average_mw = gpu->utilisation = -1;
		sscanf(text, "%95s %95s", gpu->uuid, gpu->name);
		for (char *c = gpu->name; *c; c++)
			*c = *c == '_' ? ' ' : *c;
	} else if (!gpu) {
		return;
	} else if (!strcmp(word, "error")) {
		sscanf(text, "%d", &gpu->error);
	} else if (!strcmp(word, "fail") && gpu->fails_count < MAX_FAILS) {
		times = -1;
		if (sscanf(text, "%15s %d %d", a, &code, &times) >= 2) {
			struct fail *fail = &gpu->fails[gpu->fails_count++];
			strcpy(fail->call, a);
			fail->code = code;
			fail->times = times;
		}
	} else if (!strcmp(word, "energy_mj")) {
		sscanf(text, "%lld", &gpu->energy_mj);
	} else if (!strcmp(word, "power_mw")) {
		sscanf(text, "%lld", &gpu->power_mw);
	} else if (!strcmp(word, "average_mw")) {
		sscanf(text, "%lld", &gpu->average_mw);
	} else if (!strcmp(word, "memory")) {
		sscanf(text, "%lld %lld", &gpu->used, &gpu->total);
	} else if (!strcmp(word, "utilisation")) {
		sscanf(text, "%lld", &gpu->utilisation);
	} else if (!strcmp(word, "mig")) {
		sscanf(text, "%d", &gpu->mig);
	} else if (!strcmp(word, "process")) {
		unsigned pid;
		id = ~0u;
		if (sscanf(text, "%95s %u %llu %u", a, &pid, &n, &id) >= 3) {
			int kind = *a == 'c' ? COMPUTE : *a == 'g' ? GRAPHICS : MPS;
			if (gpu->processes_count[kind] < MAX_ROWS)
				gpu->processes[kind][gpu->processes_count[kind]++] =
					(struct process){ pid, n, id, id == ~0u ? id : 0 };
		}
	} else if (!strcmp(word, "sample") && gpu->samples_count < MAX_ROWS) {
		unsigned pid, percent;
		if (sscanf(text, "%llu %u %u", &m, &pid, &percent) == 3)
			gpu->samples[gpu->samples_count++] = (struct sample){ pid, m, percent, 0, 0, 0 };
	} else if (!strcmp(word, "instance") && gpu->instances_count < MAX_INSTANCES) {
		if (sscanf(text, "%u %u %95s %lf", &id, &slices, b, &sm) == 4) {
			struct instance *instance = &gpu->instances[gpu->instances_count++];
			*instance = (struct instance){ .id = id, .slices = slices, .sm = sm };
			strcpy(instance->uuid, b);
		}
	}
}

static int load(void)
{
	static char path[4096];
	struct stat now;
	char text[512];
	Dl_info self;
	FILE *file;

	if (!*path) {
		char *slash;
		if (!dladdr((void *)load, &self) || strlen(self.dli_fname) > sizeof(path) - 32)
			return 0;
		strcpy(path, self.dli_fname);
		slash = strrchr(path, '/');
		strcpy(slash ? slash + 1 : path, "nvml.script");
	}
	if (stat(path, &now))
		return 0;
	if (gpus && now.st_ino == read_inode && !memcmp(&now.st_mtim, &read_at, sizeof(read_at)))
		return 1;
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (!gpus)
		gpus = calloc(MAX_GPUS, sizeof(*gpus));
	gpus_count = names_count = init_code = 0;
	while (fgets(text, sizeof(text), file))
		line(text);
	fclose(file);
	read_inode = now.st_ino;
	read_at = now.st_mtim;
	return 1;
}

/* Devices are numbered from 1; an instance is its device + 65536 x its place from 1. */
#define NUMBER(handle) ((size_t)(handle) & 0xffff)
#define PLACE(handle) ((size_t)(handle) >> 16)

static struct gpu *of(void *handle)
{
	return NUMBER(handle) && NUMBER(handle) <= (size_t)gpus_count ? &gpus[NUMBER(handle) - 1] : NULL;
}

static int check(void *handle, const char *call)
{
	struct gpu *gpu;

	if (!initialized)
		return UNINITIALIZED;
	if (!load())
		return DRIVER_NOT_LOADED;
	gpu = of(handle);
	if (!gpu)
		return INVALID_ARGUMENT;
	if (gpu->error)
		return gpu->error;
	for (int i = 0; i < gpu->fails_count; i++) {
		struct fail *fail = &gpu->fails[i];
		if (strcmp(fail->call, call) || !fail->times)
			continue;
		fail->times -= fail->times > 0;
		return fail->code;
	}
	return OK;
}

static int number(void *handle, const char *call, long long value, void *out, size_t size)
{
	int code = check(handle, call);

	if (code)
		return code;
	if (value < 0)
		return NOT_SUPPORTED;
	memcpy(out, &value, size);
	return OK;
}

static int text(const char *value, char *out, unsigned length)
{
	if (strlen(value) >= length)
		return INSUFFICIENT_SIZE;
	strcpy(out, value);
	return OK;
}

int nvmlInitWithFlags(unsigned flags)
{
	(void)flags;
	if (!load())
		return DRIVER_NOT_LOADED;
	initialized = !init_code;
	return init_code;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void)
{
	initialized = 0;
	return OK;
}

const char *nvmlErrorString(int code)
{
	static char words[32];

	snprintf(words, sizeof(words), "Fake Error %d", code);
	return words;
}

int nvmlSystemGetDriverVersion(char *out, unsigned length)
{
	return initialized && load() ? text(driver, out, length) : UNINITIALIZED;
}

int nvmlSystemGetProcessName(unsigned pid, char *out, unsigned length)
{
	if (!initialized || !load())
		return UNINITIALIZED;
	for (int i = 0; i < names_count; i++)
		if (names_pid[i] == pid)
			return text(names[i], out, length);
	return NOT_FOUND;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
	if (!initialized || !load())
		return UNINITIALIZED;
	*count = (unsigned)gpus_count;
	return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle)
{
	*handle = (void *)(size_t)(index + 1);
	return check(*handle, "handle");
}

int nvmlDeviceGetUUID(void *handle, char *out, unsigned length)
{
	int code = check(handle, "uuid");

	if (code)
		return code;
	if (PLACE(handle))
		return text(of(handle)->instances[PLACE(handle) - 1].uuid, out, length);
	return text(of(handle)->uuid, out, length);
}

int nvmlDeviceGetMinorNumber(void *handle, unsigned *out)
{
	*out = (unsigned)NUMBER(handle) - 1;
	return check(handle, "minor");
}

int nvmlDeviceGetName(void *handle, char *out, unsigned length)
{
	int code = check(handle, "name");
	return code ? code : text(of(handle)->name, out, length);
}

#define VALUE(handle, field) (of(handle) ? of(handle)->field : -1)

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *out)
{
	return load() ? number(handle, "energy", VALUE(handle, energy_mj), out, sizeof(*out))
		      : DRIVER_NOT_LOADED;
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned *out)
{
	return load() ? number(handle, "power", VALUE(handle, power_mw), out, sizeof(*out))
		      : DRIVER_NOT_LOADED;
}

struct field_value {
	unsigned field, scope;
	long long at, latency;
	unsigned type;
	int code;
	union { double d; unsigned u; unsigned long long ull; } value;
};

int nvmlDeviceGetFieldValues(void *handle, int count, struct field_value *values)
{
	int code = check(handle, "fields");

	if (code)
		return code;
	for (int i = 0; i < count; i++) {
		unsigned milliwatts = 0;
		values[i].type = 1; /* unsigned int */
		values[i].code = values[i].field != 185 /* POWER_AVERAGE */
			? NOT_SUPPORTED
			: number(handle, "average", of(handle)->average_mw, &milliwatts, sizeof(milliwatts));
		values[i].value.ull = milliwatts;
	}
	return OK;
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long out[3])
{
	int code = check(handle, "memory");

	if (code)
		return code;
	if (!of(handle)->total)
		return NOT_SUPPORTED;
	out[0] = (unsigned long long)of(handle)->total;
	out[2] = (unsigned long long)of(handle)->used;
	out[1] = out[0] - out[2];
	return OK;
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned out[2])
{
	out[1] = 0;
	return load() ? number(handle, "utilisation", VALUE(handle, utilisation), out, sizeof(*out))
		      : DRIVER_NOT_LOADED;
}

int nvmlDeviceGetProcessUtilization(void *handle, struct sample *out, unsigned *count,
				    unsigned long long since_us)
{
	int code = check(handle, out ? "grow" : "samples");
	unsigned found = 0;

	if (code)
		return code;
	for (int i = 0; i < of(handle)->samples_count; i++) {
		struct sample *sample = &of(handle)->samples[i];
		if (sample->at_us <= since_us)
			continue;
		if (out && found < *count)
			out[found] = *sample;
		found++;
	}
	if (!found)
		return NOT_FOUND;
	code = out && found <= *count ? OK : INSUFFICIENT_SIZE;
	*count = found;
	return code;
}

static int processes(void *handle, int kind, const char *call, unsigned *count, struct process *out)
{
	int code = check(handle, out ? "grow" : call);
	unsigned there;

	if (code)
		return code;
	there = (unsigned)of(handle)->processes_count[kind];
	if (there && (!out || there > *count)) {
		*count = there;
		return INSUFFICIENT_SIZE;
	}
	if (there)
		memcpy(out, of(handle)->processes[kind], there * sizeof(*out));
	*count = there;
	return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, struct process *out)
{
	return processes(handle, COMPUTE, "compute", count, out);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, struct process *out)
{
	return processes(handle, GRAPHICS, "graphics", count, out);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *handle, unsigned *count, struct process *out)
{
	return processes(handle, MPS, "mps", count, out);
}

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending)
{
	int code = check(handle, "mig");

	if (code)
		return code;
	*current = *pending = of(handle)->mig > 0;
	return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count)
{
	int code = check(handle, "instances");

	*count = code ? 0 : (unsigned)of(handle)->mig;
	return code;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **out)
{
	int code = check(handle, "instances");

	if (code)
		return code;
	if (index >= (unsigned)of(handle)->instances_count)
		return NOT_FOUND;
	*out = (void *)(NUMBER(handle) | (size_t)(index + 1) << 16);
	return OK;
}

int nvmlDeviceGetGpuInstanceId(void *handle, unsigned *id)
{
	int code = check(handle, "instances");

	if (!code)
		*id = of(handle)->instances[PLACE(handle) - 1].id;
	return code;
}

int nvmlDeviceGetAttributes_v2(void *handle, unsigned out[10])
{
	int code = check(handle, "instances");

	memset(out, 0, 40);
	if (!code)
		out[6] = of(handle)->instances[PLACE(handle) - 1].slices;
	return code;
}

/* GPM: a sample remembers the instance it was taken of. */
struct gpm_sample { void *device; unsigned instance; int taken; };
struct gpm_metric { unsigned id; int code; double value; const char *info[3]; };
struct gpm_get {
	unsigned version, count;
	struct gpm_sample *first, *second;
	struct gpm_metric metrics[1];
};

int nvmlGpmQueryDeviceSupport(void *handle, unsigned support[2])
{
	support[1] = 0;
	if (check(handle, "gpm"))
		return check(handle, "gpm");
	support[1] = 1;
	return OK;
}

int nvmlGpmSampleAlloc(struct gpm_sample **out)
{
	*out = calloc(1, sizeof(**out));
	return OK;
}

int nvmlGpmSampleFree(struct gpm_sample *sample)
{
	free(sample);
	return OK;
}

int nvmlGpmMigSampleGet(void *handle, unsigned instance, struct gpm_sample *sample)
{
	int code = check(handle, "gpm");

	if (code)
		return code;
	*sample = (struct gpm_sample){ handle, instance, 1 };
	return OK;
}

int nvmlGpmMetricsGet(struct gpm_get *get)
{
	struct gpu *gpu = of(get->first->device);

	if (!get->first->taken || !get->second->taken || get->first->instance != get->second->instance)
		return INVALID_ARGUMENT;
	for (unsigned i = 0; i < get->count; i++) {
		get->metrics[i].code = NOT_SUPPORTED;
		for (int j = 0; gpu && j < gpu->instances_count; j++)
			if (get->metrics[i].id == 2 /* SM_UTIL */ && gpu->instances[j].id == get->first->instance) {
				get->metrics[i].code = OK;
				get->metrics[i].value = gpu->instances[j].sm;
			}
	}
	return OK;
}
