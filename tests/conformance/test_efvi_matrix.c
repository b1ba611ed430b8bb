/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of docs/ef_vi.md: what every call of ef_vi says on every kind of device. The calls are
 * made, and the table that they give is compared with the one in the file.
 *
 *   test_efvi_matrix                        compare
 *   test_efvi_matrix --write docs/ef_vi.md  put the table into the file */
#include "conformance/pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <etherfabric/ef_vi.h>

#include "conformance/efvi_matrix.h"

#define BEGIN "<!-- written by: test_efvi_matrix --write docs/ef_vi.md -->\n"
#define END   "<!-- as far as here -->\n"
#define TEXT  (1u << 18)
#define WHYS  128u

static struct matrix_column columns[] = {
    {.label = "82599, twin in this process",
     .near_name = "ixgbe:twin?wire=m&queues=4",
     .far_name = "ixgbe:twin?wire=m&queues=1"},
    {.label = "82599 over vfio-user"},
    {.label = "AF_XDP on veth",
     .near_name = "xdp:xa?mode=skb&queues=4",
     .far_name = "xdp:xb?mode=skb"},
    {.label = "EFA", .near_name = "efa:twin?wire=m", .far_name = "efa:twin?wire=m"},
};
enum { VFIO_USER = 1, KERNEL = 2, COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static const char *no_kernel; /* why there is no AF_XDP here */
static struct served *served; /* twins behind sockets, while their column is filled */

static int stop_served(void **state)
{
  (void)state;
  if (served)
    served_stop(served);
  served = NULL;
  return 0;
}

static void fill_vfio_user(void)
{
  struct device device = {.keys = "wire=m&id=10f9"};
  struct shunt_error error = {0};
  char near_name[128];
  served = served_start(&device, &error);
  if (!served)
    fail_msg("%s: %s", error.what, error.why);
  snprintf(near_name, sizeof(near_name), "%s?queues=4", device.name);
  columns[VFIO_USER].near_name = near_name;
  columns[VFIO_USER].far_name = device.peer_name;
  matrix_fill(&columns[VFIO_USER]);
  stop_served(NULL);
}

static void fill_all(void)
{
  for (unsigned i = 0; i < COLUMNS; i++) {
    if (columns[i].n)
      continue;
    if (i == VFIO_USER)
      fill_vfio_user();
    else if (i != KERNEL || !(no_kernel = kernel_pair_make()))
      matrix_fill(&columns[i]);
  }
}

/* --- The table ----------------------------------------------------------------------------------
 */

struct text {
  char *at;
  size_t used;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  text->used += (size_t)vsnprintf(text->at + text->used, TEXT - text->used, format, arguments);
  va_end(arguments);
  assert_true(text->used < TEXT);
}

/* Reasons, each once, in the order in which the table has them. */
struct whys {
  const char *text[WHYS];
  unsigned n;
};

static unsigned why_number(struct whys *whys, const char *why)
{
  unsigned i = 0;
  while (i < whys->n && strcmp(whys->text[i], why) != 0)
    i++;
  assert_true(i < WHYS);
  if (i == whys->n)
    whys->text[whys->n++] = why;
  return i + 1;
}

static void put_result(struct text *text, const struct matrix_call *call, struct whys *whys)
{
  if (call->result < 0)
    put(text, " -%s", strerrorname_np((int)-call->result));
  else if (call->kind == MATRIX_VOID)
    put(text, " done");
  else if (call->kind == MATRIX_POINTER)
    put(text, call->result ? " it" : " NULL");
  else
    put(text, " %lld", call->result);
  if (call->why[0])
    put(text, " (%u)", why_number(whys, call->why));
  put(text, " |");
}

/* The row of one call; a device whose domain was refused has no further ones. */
static void put_row(struct text *text, unsigned row, struct whys *whys)
{
  const struct matrix_call *first = &columns[0].calls[row];
  put(text, "| `%.*s`%s |", (int)strcspn(first->name, ","), first->name,
      strchr(first->name, ',') ? strchr(first->name, ',') : "");
  for (unsigned i = 0; i < COLUMNS; i++) {
    if (row >= columns[i].n) {
      put(text, " - |");
      continue;
    }
    assert_string_equal(columns[i].calls[row].name, first->name);
    put_result(text, &columns[i].calls[row], whys);
  }
  put(text, "\n");
}

static char *table_make(void)
{
  struct text text = {.at = calloc(1, TEXT)};
  struct whys whys = {.n = 0};
  const char *section = "";
  assert_non_null(text.at);
  for (unsigned row = 0; row < columns[0].n; row++) {
    if (strcmp(section, columns[0].calls[row].section) != 0) {
      section = columns[0].calls[row].section;
      put(&text, "\n### %s\n\n| call |", section);
      for (unsigned i = 0; i < COLUMNS; i++)
        put(&text, " %s |", columns[i].label);
      put(&text, "\n|---|");
      for (unsigned i = 0; i < COLUMNS; i++)
        put(&text, "---|");
      put(&text, "\n");
    }
    put_row(&text, row, &whys);
  }
  put(&text, "\n### The reasons\n\n");
  for (unsigned i = 0; i < whys.n; i++)
    put(&text, "%u. %s\n", i + 1, whys.text[i]);
  put(&text, "\n");
  return text.at;
}

/* --- The file -----------------------------------------------------------------------------------
 */

static char *file_read(const char *path)
{
  FILE *file = fopen(path, "r");
  char *text = calloc(1, TEXT);
  assert_non_null(text);
  if (!file)
    fail_msg("%s: %s", path, strerror(errno));
  else {
    const size_t bytes = fread(text, 1, TEXT - 1, file);
    fclose(file);
    assert_true(bytes < TEXT - 1);
  }
  return text;
}

/* The place of the table, between its two marks. */
static char *table_find(char *text, char **end)
{
  char *begin = strstr(text, BEGIN);
  *end = begin ? strstr(begin, END) : NULL;
  if (!*end)
    fail_msg("the file has no place for the table: \"%s\" and \"%s\"", BEGIN, END);
  return begin + strlen(BEGIN);
}

/* Of AF_XDP's time stamps those of sent frames are the youngest: Linux 6.8. */
static bool kernel_is_old(void)
{
  struct utsname name;
  unsigned major = 0, minor = 0;
  return uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2 ||
         major * 1000 + minor < 6008;
}

static void every_call_says_what_is_documented(void **state)
{
  (void)state;
  fill_all();
  if (no_kernel || kernel_is_old()) {
    print_message("%s\n", no_kernel ? no_kernel : "AF_XDP stamps sent frames from Linux 6.8 on");
    skip();
  }
  char *made = table_make(), *text = file_read(SHUNT_SOURCE_DIR "/docs/ef_vi.md"), *end;
  char *documented = table_find(text, &end);
  *end = '\0';
  if (strcmp(documented, made) != 0) {
    size_t same = 0, line;
    while (made[same] && made[same] == documented[same])
      same++;
    for (line = same; line > 0 && made[line - 1] != '\n';)
      line--;
    fail_msg("docs/ef_vi.md says\n  %.*s\nand the device\n  %.*s\nrenew it by: test_efvi_matrix "
             "--write docs/ef_vi.md",
             (int)strcspn(documented + line, "\n"), documented + line,
             (int)strcspn(made + line, "\n"), made + line);
  }
  free(made);
  free(text);
}

static bool has_row(const char *name, size_t bytes)
{
  for (unsigned i = 0; i < columns[0].n; i++)
    if (strcspn(columns[0].calls[i].name, ",") == bytes &&
        strncmp(columns[0].calls[i].name, name, bytes) == 0)
      return true;
  return false;
}

static bool is_of_no_device(const char *name, size_t bytes)
{
  static const char *const names[] = {
      "ef_filter_spec_init", "ef_vi_capabilities_max",     "ef_vi_capabilities_name",
      "ef_vi_version_str",   "ef_vi_driver_interface_str",
  };
  for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (strlen(names[i]) == bytes && strncmp(names[i], name, bytes) == 0)
      return true;
  return memmem(name, bytes, "checksum", strlen("checksum")) != NULL;
}

/* A function that is exported and has no row was forgotten, unless no device has a say in it. */
static void every_function_has_a_row(void **state)
{
  (void)state;
  fill_all();
  char *text = file_read(SHUNT_SOURCE_DIR "/src/efvi/libciul.map");
  unsigned seen = 0;
  for (char *name = strtok(text, "\n"); name; name = strtok(NULL, "\n")) {
    name += strspn(name, " ");
    const size_t bytes = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (bytes == 0 || name[bytes] != ';')
      continue;
    seen++;
    if (!is_of_no_device(name, bytes) && !has_row(name, bytes))
      fail_msg("%.*s has no row", (int)bytes, name);
  }
  assert_true(seen > 100);
  free(text);
}

/* The same, of the operations that macros call. */
static void every_operation_has_a_row(void **state)
{
  static const char *const headers[] = {SHUNT_SOURCE_DIR "/include/etherfabric/ef_vi.h",
                                        SHUNT_SOURCE_DIR "/include/etherfabric/timer.h"};
  unsigned seen = 0;
  (void)state;
  fill_all();
  for (unsigned i = 0; i < 2; i++) {
    char *text = file_read(headers[i]);
    for (char *name = text; (name = strstr(name, "#define ef_"));) {
      name += strlen("#define ");
      const size_t bytes = strcspn(name, "(");
      const char *end = strchr(name, '\n');
      while (end && end[-1] == '\\')
        end = strchr(end + 1, '\n');
      if (!end || !memmem(name, (size_t)(end - name), "->ops.", strlen("->ops.")))
        continue;
      seen++;
      if (!has_row(name, bytes))
        fail_msg("%.*s has no row", (int)bytes, name);
    }
    free(text);
  }
  assert_true(seen >= sizeof(struct ops) / sizeof(void (*)(void)));
}

static int write_file(const char *path)
{
  fill_all();
  if (no_kernel) {
    fprintf(stderr, "%s: the table needs every device\n", no_kernel);
    return 1;
  }
  char *made = table_make(), *text = file_read(path), *end;
  char *begin = table_find(text, &end);
  FILE *file = fopen(path, "w");
  if (!file)
    return 1;
  fprintf(file, "%.*s%s%s", (int)(begin - text), text, made, end);
  free(made);
  free(text);
  return fclose(file) ? 1 : 0;
}

static const char *write_path;

static void write_table(void **state)
{
  (void)state;
  assert_int_equal(write_file(write_path), 0);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest checks[] = {
      cmocka_unit_test_teardown(every_call_says_what_is_documented, stop_served),
      cmocka_unit_test_teardown(every_function_has_a_row, stop_served),
      cmocka_unit_test_teardown(every_operation_has_a_row, stop_served),
  };
  const struct CMUnitTest writes[] = {cmocka_unit_test_teardown(write_table, stop_served)};
  if (argc == 3 && !strcmp(argv[1], "--write")) {
    write_path = argv[2];
    return cmocka_run_group_tests_name("efvi_matrix", writes, NULL, NULL);
  }
  return cmocka_run_group_tests_name("efvi_matrix", checks, NULL, NULL);
}
