/* Another world for a process, by LD_PRELOAD; each variable of the environment turns on one of its faults.

   SHIFT=2678400      the wall clock is so many seconds ahead: a board without a clock battery
   STEP_AFTER=500     after so many readings ...
   STEP_BACK=3600     ... every monotonic clock steps back by so many seconds
   READ_ONLY=/a:/b    nothing below these folders can be written
   SURVIVES=/c        what an fsync has brought to the disk is kept there: all that a power cut leaves */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REAL(result, name, ...)                                        \
  static result (*real)(__VA_ARGS__);                                  \
  if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static long number(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : 0;
}

/* ---- clocks ---- */

int clock_gettime(clockid_t id, struct timespec *now) {
  REAL(int, "clock_gettime", clockid_t, struct timespec *);
  static long readings;
  int result = real(id, now);
  if (result) return result;
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) now->tv_sec += number("SHIFT");
  if (id == CLOCK_MONOTONIC && number("STEP_AFTER") && ++readings > number("STEP_AFTER")) now->tv_sec -= number("STEP_BACK");
  return 0;
}

int gettimeofday(struct timeval *now, void *zone) {
  REAL(int, "gettimeofday", struct timeval *, void *);
  int result = real(now, zone);
  if (!result) now->tv_sec += number("SHIFT");
  return result;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

/* ---- folders that cannot be written ---- */

static int is_read_only(int folder, const char *path) {
  char full[2 * PATH_MAX], link[64], copy[PATH_MAX];
  const char *places = getenv("READ_ONLY");
  if (!places || !path) return 0;
  if (path[0] == '/') {
    snprintf(full, sizeof full, "%s", path);
  } else {
    if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, full, PATH_MAX);
    if (length < 0) return 0;
    snprintf(full + length, sizeof full - length, "/%s", path);
  }
  snprintf(copy, sizeof copy, "%s", places);
  for (char *rest = copy, *place; (place = strtok_r(rest, ":", &rest));)
    if (!strncmp(full, place, strlen(place))) return 1;
  return 0;
}

#define REFUSE(folder, path)          \
  if (is_read_only(folder, path)) {   \
    errno = EROFS;                    \
    return -1;                        \
  }

#define OPENS(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))

#define OPEN(name)                                     \
  int name(const char *path, int flags, ...) {         \
    REAL(int, #name, const char *, int, ...);          \
    va_list rest;                                      \
    va_start(rest, flags);                             \
    mode_t mode = va_arg(rest, mode_t);                \
    va_end(rest);                                      \
    if (OPENS(flags)) REFUSE(AT_FDCWD, path)           \
    return real(path, flags, mode);                    \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                           \
  int name(int folder, const char *path, int flags, ...) {     \
    REAL(int, #name, int, const char *, int, ...);             \
    va_list rest;                                              \
    va_start(rest, flags);                                     \
    mode_t mode = va_arg(rest, mode_t);                        \
    va_end(rest);                                              \
    if (OPENS(flags)) REFUSE(folder, path)                     \
    return real(folder, path, flags, mode);                    \
  }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  struct stat there;
  if (stat(path, &there)) REFUSE(AT_FDCWD, path) /* the kernel says first that it exists */
  return real(path, mode);
}
int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  REFUSE(AT_FDCWD, to)
  return real(from, to);
}
int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  struct stat there;
  if (!lstat(path, &there)) REFUSE(AT_FDCWD, path)
  return real(path);
}
int access(const char *path, int mode) {
  REAL(int, "access", const char *, int);
  if (mode & W_OK) REFUSE(AT_FDCWD, path)
  return real(path, mode);
}
int utimensat(int folder, const char *path, const struct timespec times[2], int flags) {
  REAL(int, "utimensat", int, const char *, const struct timespec *, int);
  REFUSE(folder, path)
  return real(folder, path, times, flags);
}

/* ---- what a power cut leaves: per inode the content, or the entries, at its last fsync ---- */

static void keep(int handle) {
  const char *survives = getenv("SURVIVES");
  struct stat status;
  char path[PATH_MAX], scratch[PATH_MAX + 8], self[64];
  if (!survives || fstat(handle, &status)) return;
  snprintf(path, sizeof path, "%s/%lu", survives, (unsigned long)status.st_ino);
  snprintf(scratch, sizeof scratch, "%s.%d", path, getpid());
  snprintf(self, sizeof self, "/proc/self/fd/%d", handle);
  FILE *out = fopen(scratch, "w");
  if (!out) abort();
  if (S_ISDIR(status.st_mode)) {
    DIR *folder = opendir(self);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
      if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
        fprintf(out, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    if (folder) closedir(folder);
  } else {
    FILE *in = fopen(self, "r");
    char chunk[65536];
    for (size_t size; in && (size = fread(chunk, 1, sizeof chunk, in));) fwrite(chunk, 1, size, out);
    if (in) fclose(in);
  }
  fclose(out);
  rename(scratch, path);
}

int fsync(int handle) {
  REAL(int, "fsync", int);
  int result = real(handle);
  if (!result) keep(handle);
  return result;
}
int fdatasync(int handle) { return fsync(handle); }
