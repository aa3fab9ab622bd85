#pragma once
// One source, several instruction sets: a function marked DSF_MULTIVERSION is compiled for baseline
// x86-64, AVX2 and AVX-512, and the machine's best is chosen when the program starts. Mark the
// plain loops over contiguous floats (not the lambdas of parallel_for: they are functions of their
// own and would stay baseline) and let them call DSF_INLINE functions only.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(DSF_NO_MULTIVERSION)
#define DSF_HAS_MULTIVERSION
#define DSF_MULTIVERSION \
  __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define DSF_MULTIVERSION
#endif

#define DSF_INLINE inline __attribute__((always_inline))

/// Before DSF_INLINE: a function for kernels, too.
#ifdef __CUDACC__
#define DSF_ALSO_ON_GPU __host__ __device__
#else
#define DSF_ALSO_ON_GPU
#endif
