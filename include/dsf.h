/* libdsf: endless, controllable sound textures from a trained model, live.
 *
 *     char error[256];
 *     dsf_options options = dsf_default_options();
 *     dsf_stream* stream = dsf_open(&options, error, sizeof error);
 *     if (!stream) ...
 *     dsf_set(stream, dsf_find_control(stream, "DSWind"), 1, 0.5);   from any thread
 *     dsf_process(stream, samples, 256);                             in the audio thread
 *     dsf_close(stream);
 *
 * A stream has a thread of its own, which draws and decodes a little ahead of what is taken. All
 * text is UTF-8. Nothing here throws, prints, or fetches anything from a network. Streams and
 * buffers must not be null where nothing else is said.
 */
#ifndef DSF_H
#define DSF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DSF_API __attribute__((visibility("default")))
#else
#define DSF_API
#endif

typedef struct dsf_stream dsf_stream;

/* Take dsf_default_options() and change what is to differ; null pointers and empty texts mean the
 * default. What a stream begins with beside its class is set before its first sample is asked for:
 * dsf_set(stream, control, value, 0). */
typedef struct dsf_options {
  const char* model;      /* a run's folder or a checkpoint; default: the one that comes with dsf */
  const char* codec;      /* a DAC file, "bundled" or "official"; default: the model's */
  const char* class_name; /* that it begins with, at full weight; default: the model's first */
  uint64_t seed;          /* same seed, same sound, unless a control comes between; 0 */
  int32_t top_n;          /* draw from so many likeliest codes; 0: as the model says, else 100 */
  float temperature;      /* below 1 more predictable, above 1 less; 0: as the model says, else 1 */
  int32_t chunk_frames;   /* drawn and decoded at once, 1 to 1024 (a frame is some 12 ms); 2 */
  float min_p; /* leave out codes less likely than that times the likeliest; below 0, which
                  is the default: as the model says, else 0 */
  double buffer_seconds; /* sound that is kept ready: more than is taken at once, and what a
                            control is late by; 0.1, at least a chunk's and what is taken at once
                            (up to 16384 samples), at most 10 */
} dsf_options;

DSF_API const char* dsf_version(void);
DSF_API dsf_options dsf_default_options(void);

/* Reads a model and its codec; what it renders begins with the first dsf_process or dsf_pull. Null
 * on failure: then what was found and what was expected stands in `error`, cut to `error_size`
 * bytes with the 0 at their end; both may be 0. The first time that a model is opened its loudness
 * is measured: eight seconds of its sound are generated, which takes minutes with a model that is
 * slower than real time. It is kept in the user's cache folder. */
DSF_API dsf_stream* dsf_open(const dsf_options* options, char* error, size_t error_size);

/* Ends its thread and frees it. No other call may be under way. Null is nothing. */
DSF_API void dsf_close(dsf_stream* stream);

DSF_API int32_t dsf_sample_rate(const dsf_stream* stream); /* Hz; sound has one channel */

/* What can be controlled: a weight for each class, then the parameters. Usual values are 0 to 1.
 * A name is valid until dsf_close; null for an index out of range. */
DSF_API int32_t dsf_control_count(const dsf_stream* stream);
DSF_API const char* dsf_control_name(const dsf_stream* stream, int32_t control);
DSF_API int32_t dsf_find_control(const dsf_stream* stream, const char* name); /* -1: none */

/* Moves a control evenly to `value` within `seconds`, from the next frame on that is drawn. Frames
 * are drawn chunk by chunk: of several calls for one control before the next, the last of 0 seconds
 * and one behind it count (to 1 within 0, then to 0 within 2, falls from 1). From any thread, also
 * the audio thread: it neither allocates nor waits nor calls the system. 0; or -1
 * for an index out of range, a value that is not within ±1e6, a time that is not within a day. */
DSF_API int32_t dsf_set(dsf_stream* stream, int32_t control, float value, double seconds);

/* The next `count` samples, within ±1: in the audio thread, one at a time. It neither allocates nor
 * waits nor calls the system. What is not ready yet is silence. How many are sound. */
DSF_API int64_t dsf_process(dsf_stream* stream, float* samples, int64_t count);

/* The same, but it waits for all samples: to render into a file. In a stream that is only pulled
 * from nothing is rendered before it is asked for, so that the same calls give the same sound: a
 * control moves from the next chunk on that is not begun. 0, also of
 * a `count` below 1; or -1 where rendering failed, and the rest of `samples` is as it was. */
DSF_API int32_t dsf_pull(dsf_stream* stream, float* samples, int64_t count);

/* Calls of dsf_process, since the first sample, that found too few. */
DSF_API int64_t dsf_underruns(const dsf_stream* stream);

/* Why the rendering ended, or null. */
DSF_API const char* dsf_failure(const dsf_stream* stream);

#ifdef __cplusplus
}
#endif

#endif
