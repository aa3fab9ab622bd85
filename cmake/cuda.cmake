# CUDA: nvcc compiles the kernels for a GPU where it is found. Without it everything else is the same,
# and tests/simt runs the kernels all the same.
set(DSF_CUDA AUTO CACHE STRING "Kernels for a GPU: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE DSF_CUDA PROPERTY STRINGS AUTO ON OFF)
set(DSF_HAS_CUDA OFF)
if(DSF_CUDA STREQUAL "OFF" OR DSF_SANITIZE)
  message(STATUS "Built without kernels for a GPU (DSF_CUDA=${DSF_CUDA}, sanitizers: '${DSF_SANITIZE}')")
  return()
endif()

find_program(DSF_NVCC nvcc HINTS ENV CUDACXX PATHS /usr/local/cuda/bin DOC "CUDA's compiler")
if(NOT EXISTS "${DSF_NVCC}")  # or no longer: the cache remembers a toolkit that was removed
  set(absent "no nvcc in PATH or /usr/local/cuda/bin")
  if(DSF_NVCC)
    set(absent "no ${DSF_NVCC}")
  endif()
  if(DSF_CUDA STREQUAL "ON")
    message(FATAL_ERROR "DSF_CUDA=ON, but there is ${absent}; "
                        "-DDSF_NVCC=/path/to/nvcc names another place")
  endif()
  message(STATUS "There is ${absent}: built without kernels for a GPU")
  return()
endif()

set(CMAKE_CUDA_COMPILER ${DSF_NVCC})
# compute_90,code=sm_90: the H100's and H200's.
set(CMAKE_CUDA_ARCHITECTURES 90-real CACHE STRING "Architectures of the kernels for a GPU")
set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER} CACHE FILEPATH "nvcc's host compiler")
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # Debian 12's CMake does not know that nvcc has it
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_STANDARD 20)
find_package(CUDAToolkit REQUIRED)
find_file(DSF_CUBLASLT_HEADER cublasLt.h PATHS ${CUDAToolkit_INCLUDE_DIRS} NO_DEFAULT_PATH)
if(NOT DSF_CUBLASLT_HEADER)
  if(DSF_CUDA STREQUAL "ON")
    message(FATAL_ERROR "DSF_CUDA=ON, but ${DSF_NVCC} comes without cuBLASLt (cublasLt.h)")
  endif()
  message(STATUS "nvcc comes without cuBLASLt: built without kernels for a GPU")
  return()
endif()
# cuDNN plans for GPUs that are described to it, as a test needs it, from version 9.8 on.
find_path(DSF_CUDNN_FOLDER cudnn_version.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
set(DSF_CUDNN_VERSION 0)
if(EXISTS "${DSF_CUDNN_FOLDER}/cudnn_version.h")
  file(STRINGS "${DSF_CUDNN_FOLDER}/cudnn_version.h" lines REGEX "define CUDNN_(MAJOR|MINOR) ")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" DSF_CUDNN_VERSION "${lines}")
endif()
set(DSF_HAS_CUDNN OFF)
if(DSF_CUDNN_VERSION VERSION_GREATER_EQUAL 9.8)
  set(DSF_HAS_CUDNN ON)
else()
  message(STATUS "There is no cuDNN 9.8 or later: built without --convolutions cudnn")
endif()
set(DSF_HAS_CUDA ON)
message(STATUS "Kernels for a GPU by ${DSF_NVCC} (CUDA ${CMAKE_CUDA_COMPILER_VERSION})")

add_library(dsf_cuda_options INTERFACE)
# A spilled register is a warning, and so an error. A stack frame that is no spill is neither: snake
# has one from sinf, which reduces huge arguments in it. scripts/ptxas_report.py shows both.
# fmt believes that nvcc knows no constexpr. -Wpedantic and -Wshadow: what nvcc generates has both.
target_compile_options(dsf_cuda_options INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;\
-Xptxas=--warn-on-spills;-Xcompiler=-Wall,-Wextra,-Werror;-DFMT_USE_CONSTEXPR=1>")
