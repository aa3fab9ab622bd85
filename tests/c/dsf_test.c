/* libdsf as a C program uses it. dsf_process and dsf_set run in a thread of their own in which
 * every allocation, lock and system call ends the program; that these traps work is tried, too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsf.h"

static int failures = 0;

#define EXPECT(condition)                                                           \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                                   \
    }                                                                               \
  } while (0)

/* --- Traps --- */

static _Thread_local int trapped; /* whether this thread may neither allocate nor lock */

static void spring(void) {
  if (trapped) abort();
}

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);

void* malloc(size_t size) {
  spring();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  spring();
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  spring();
  return __libc_realloc(old, size);
}
void* memalign(size_t alignment, size_t size) {
  spring();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  spring();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) {
  spring();
  *memory = __libc_memalign(alignment, size);
  return *memory == NULL ? 12 : 0; /* ENOMEM */
}
void free(void* memory) {
  spring();
  __libc_free(memory);
}

typedef int (*lock_function)(pthread_mutex_t*);
static lock_function true_lock, true_trylock;

/* Before any thread, so that looking them up is nobody's race. */
__attribute__((constructor)) static void find_locks(void) {
  void* found = dlsym(RTLD_NEXT, "pthread_mutex_lock");
  memcpy(&true_lock, &found, sizeof true_lock);
  found = dlsym(RTLD_NEXT, "pthread_mutex_trylock");
  memcpy(&true_trylock, &found, sizeof true_trylock);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  spring();
  if (true_lock == NULL) find_locks();
  return true_lock(mutex);
}
int pthread_mutex_trylock(pthread_mutex_t* mutex) {
  spring();
  if (true_trylock == NULL) find_locks();
  return true_trylock(mutex);
}

/* From now on every system call of this thread ends the process, but for the thread's own end. 0
 * where the kernel has no such filters. */
static int forbid_system_calls(void) {
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 0;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* --- A thread like an audio driver's --- */

enum { kBlock = 256, kSeconds = 3 };

typedef struct audio {
  dsf_stream* stream; /* null: only the trap is tried that `crime` names */
  int crime;
  int64_t wanted; /* samples */
  int filtered;
  int64_t sound;
  float peak;
  int refused; /* calls of dsf_set that should not have been, or should */
} audio;

static void play(audio* a) {
  float block[kBlock];
  while (a->sound < a->wanted && dsf_failure(a->stream) == NULL) {
    const int64_t count = dsf_process(a->stream, block, kBlock);
    for (int64_t i = 0; i < count; ++i) {
      const float magnitude = fabsf(block[i]);
      if (!(magnitude <= a->peak)) a->peak = magnitude;
    }
    for (int64_t i = count; i < kBlock; ++i) a->refused += block[i] != 0;
    a->sound += count;
    a->refused += dsf_set(a->stream, 0, (float)(a->sound % 7) / 7, 0.1) != 0;
  }
  a->refused += dsf_set(a->stream, -1, 0, 0) != -1;
  a->refused += dsf_set(a->stream, dsf_control_count(a->stream), 0, 0) != -1;
  a->refused += dsf_set(a->stream, 0, NAN, 0) != -1;
  a->refused += dsf_set(a->stream, 0, 0, -1) != -1;
}

static void* volatile sink;

static void* audio_thread(void* argument) {
  audio* a = argument;
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  a->filtered = forbid_system_calls();
  trapped = 1;
  if (a->crime == 1) sink = malloc(16);
  if (a->crime == 2) pthread_mutex_lock(&mutex);
  if (a->crime == 3) syscall(SYS_getppid);
  if (a->crime == 4) sink = dsf_open(NULL, NULL, 0);
  if (a->stream != NULL) play(a);
  trapped = 0;
  syscall(SYS_exit, 0);
  return NULL;
}

static void run_audio_thread(audio* a) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, audio_thread, a) != 0) abort();
  pthread_join(thread, NULL);
}

/* The signal that ends a process which does it in an audio thread; 0: none does. */
static int signal_of(int crime) {
  fflush(stderr);
  const pid_t child = fork();
  if (child == 0) {
    audio a = {NULL, crime, 0, 0, 0, 0, 0};
    run_audio_thread(&a);
    _exit(a.filtered ? 0 : 77);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    printf("SKIPPED: no filters of system calls here\n");
    return -1;
  }
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void traps_are_sprung(void) {
  EXPECT(signal_of(0) <= 0);
  /* An allocation aborts, which is a call of the system. */
  const int allocation = signal_of(1), lock = signal_of(2), call = signal_of(3);
  const int library = signal_of(4); /* what is in it comes to the traps, too */
  EXPECT(allocation == SIGABRT || allocation == SIGSYS);
  EXPECT(lock == SIGABRT || lock == SIGSYS);
  EXPECT(call == SIGSYS || call == -1);
  EXPECT(library == SIGABRT || library == SIGSYS);
}

/* --- The library --- */

static void refusals_are_explained(void) {
  char error[64];
  dsf_options options = dsf_default_options();
  options.model = "/nowhere/model.safetensors";
  EXPECT(dsf_open(&options, error, sizeof error) == NULL);
  EXPECT(strstr(error, "/nowhere/model.safetensors") != NULL);
  EXPECT(strlen(error) == sizeof error - 1 || strlen(error) > 20);
  EXPECT(dsf_open(&options, NULL, 0) == NULL);

  options = dsf_default_options();
  options.class_name = "Thunder";
  EXPECT(dsf_open(&options, error, sizeof error) == NULL);
  EXPECT(strstr(error, "Thunder") != NULL);

  options = dsf_default_options();
  options.chunk_frames = 0;
  EXPECT(dsf_open(&options, error, sizeof error) == NULL);
  EXPECT(strstr(error, "chunk_frames is 0") != NULL);
  options = dsf_default_options();
  options.buffer_seconds = NAN;
  EXPECT(dsf_open(&options, error, sizeof error) == NULL);
  EXPECT(strstr(error, "buffer_seconds") != NULL);

  options = dsf_default_options();
  EXPECT(options.top_n == 0 && options.temperature == 0 && options.min_p < 0);
  options.top_n = -1;
  EXPECT(dsf_open(&options, error, sizeof error) == NULL);
  EXPECT(strstr(error, "top_n is -1") != NULL);
  options = dsf_default_options();
  options.min_p = 2;
  EXPECT(dsf_open(&options, error, sizeof error) == NULL);
  EXPECT(strstr(error, "min_p is 2") != NULL);
  dsf_close(NULL);
}

static dsf_stream* opened(uint64_t seed) {
  char error[512];
  dsf_options options = dsf_default_options();
  options.seed = seed;
  dsf_stream* stream = dsf_open(&options, error, sizeof error);
  if (stream == NULL) {
    fprintf(stderr, "%s\n", error);
    exit(1);
  }
  return stream;
}

static void controls_are_named(void) {
  dsf_stream* stream = opened(1);
  const int32_t count = dsf_control_count(stream);
  EXPECT(count >= 2);
  for (int32_t i = 0; i < count; ++i) {
    EXPECT(dsf_find_control(stream, dsf_control_name(stream, i)) == i);
  }
  EXPECT(dsf_control_name(stream, -1) == NULL);
  EXPECT(dsf_control_name(stream, count) == NULL);
  EXPECT(dsf_find_control(stream, "Thunder") == -1);
  EXPECT(dsf_find_control(stream, NULL) == -1);
  EXPECT(dsf_sample_rate(stream) == 44100);
  EXPECT(dsf_failure(stream) == NULL);
  EXPECT(dsf_process(stream, NULL, 0) == 0);
  dsf_close(stream);
}

static void the_seed_makes_the_sound(void) {
  enum { kSamples = 44100 };
  static float sounds[3][kSamples];
  for (int i = 0; i < 3; ++i) {
    dsf_stream* stream = opened(i == 2 ? 8 : 7);
    for (int64_t at = 0; at < kSamples; at += 441) {
      EXPECT(dsf_pull(stream, sounds[i] + at, 441) == 0);
    }
    dsf_close(stream);
  }
  EXPECT(memcmp(sounds[0], sounds[1], sizeof sounds[0]) == 0);
  EXPECT(memcmp(sounds[0], sounds[2], sizeof sounds[0]) != 0);
}

/* Whenever they come, as long as it is between the same pulls. */
static void the_same_calls_make_the_same_sound(void) {
  enum { kBlock = 441, kBlocks = 60 };
  static float sounds[2][kBlocks * kBlock];
  for (int i = 0; i < 2; ++i) {
    dsf_stream* stream = opened(7);
    const int32_t wind = dsf_find_control(stream, "DSWind");
    for (int block = 0; block < kBlocks; ++block) {
      if (i == 1 && block % 20 == 0) usleep(100000);
      if (block == 0) EXPECT(dsf_set(stream, wind, 1, 0) == 0);
      if (block == 20) EXPECT(dsf_set(stream, wind, 0, 0.1) == 0);
      EXPECT(dsf_pull(stream, sounds[i] + block * kBlock, kBlock) == 0);
    }
    dsf_close(stream);
  }
  EXPECT(memcmp(sounds[0], sounds[1], sizeof sounds[0]) == 0);
}

static void processing_neither_allocates_nor_locks_nor_calls_the_system(void) {
  audio a = {opened(3), 0, 0, 0, 0, 0, 0};
  a.wanted = (int64_t)kSeconds * dsf_sample_rate(a.stream);
  run_audio_thread(&a);
  EXPECT(a.sound >= a.wanted);
  EXPECT(a.refused == 0);
  EXPECT(a.peak > 0.01F && a.peak <= 1);
  EXPECT(dsf_failure(a.stream) == NULL);
  printf("%d s of sound in a thread that may do nothing else%s\n", (int)kSeconds,
         a.filtered ? "" : " (but call the system: SKIPPED)");
  dsf_close(a.stream);
}

int main(void) {
  traps_are_sprung();
  refusals_are_explained();
  controls_are_named();
  the_seed_makes_the_sound();
  the_same_calls_make_the_same_sound();
  processing_neither_allocates_nor_locks_nor_calls_the_system();
  printf("libdsf %s: %d failures\n", dsf_version(), failures);
  return failures == 0 ? 0 : 1;
}
