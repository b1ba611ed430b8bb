/* SPDX-License-Identifier: BSD-2-Clause */
/* How the server lives with its socket: whose it is, when it goes, and several models behind one.
 */
#include "vfio_user_rig.h"

#include <poll.h>

static struct rig rig;
static struct rig_reply reply;

static int set_up(void **state)
{
  (void)state;
  rig_open(&rig, NULL);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  rig_end(&rig);
  return 0;
}

/* ---- The socket ---- */

static void the_socket_is_its_owners_alone(void **state)
{
  struct stat status;
  (void)state;
  assert_int_equal(stat(rig.path, &status), 0);
  assert_true(S_ISSOCK(status.st_mode));
  assert_int_equal(status.st_mode & 07777, 0600);
}

static void a_path_is_served_once(void **state)
{
  struct shunt_vfio_user *second = NULL;
  struct shunt_error error;
  struct rig_model *model = rig_model_create();
  (void)state;
  assert_int_equal(shunt_vfio_user_create(&model->model, rig.path, NULL, &second, &error),
                   -EADDRINUSE);
  assert_null(second);
  assert_non_null(strstr(error.why, "another server"));
  assert_int_equal(access(rig.path, F_OK), 0);
  shunt_model_destroy(&model->model);
  /* The one that was asked whether it is there goes on serving. */
  rig_connect(&rig);
  rig_read32(&rig, 7, 0);
}

static void a_dead_servers_socket_is_replaced_and_no_other_file(void **state)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct rig_model *model = rig_model_create();
  struct shunt_vfio_user *server = NULL;
  struct shunt_error error;
  (void)state;
  snprintf(address.sun_path, sizeof address.sun_path, "/tmp/shunt-dead-%d", (int)getpid());
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
  close(fd);
  assert_int_equal(shunt_vfio_user_create(&model->model, address.sun_path, NULL, &server, &error),
                   0);
  /* Somebody puts something else there: it is not ours to remove. */
  assert_int_equal(unlink(address.sun_path), 0);
  FILE *file = fopen(address.sun_path, "w");
  assert_non_null(file);
  fclose(file);
  shunt_vfio_user_destroy(server);
  assert_int_equal(access(address.sun_path, F_OK), 0);
  assert_int_equal(shunt_vfio_user_create(&model->model, address.sun_path, NULL, &server, &error),
                   -EEXIST);
  unlink(address.sun_path);
  shunt_model_destroy(&model->model);
}

static void impossible_paths_and_options_are_refused(void **state)
{
  struct rig_model *model = rig_model_create();
  struct shunt_vfio_user *server = NULL;
  struct shunt_error error;
  char path[200];
  (void)state;
  memset(path, 'x', sizeof path);
  path[108] = '\0';
  assert_int_equal(shunt_vfio_user_create(&model->model, path, NULL, &server, &error), -EINVAL);
  assert_int_equal(shunt_vfio_user_create(&model->model, "", NULL, &server, &error), -EINVAL);
  assert_int_equal(shunt_vfio_user_create(&model->model, "/nowhere/x", NULL, &server, &error),
                   -ENOENT);
  const struct shunt_vfio_user_options options = {.size = sizeof options + 8};
  assert_int_equal(shunt_vfio_user_create(&model->model, "/tmp/x", &options, &server, &error),
                   -EINVAL);
  assert_null(server);
  assert_null(model->model.host.interrupt);
  shunt_model_destroy(&model->model);
  shunt_vfio_user_destroy(NULL);
}

static bool is_readable(int fd)
{
  struct pollfd readable = {.fd = fd, .events = POLLIN};
  return poll(&readable, 1, 0) == 1;
}

static void one_descriptor_tells_of_everything(void **state)
{
  int fd = shunt_vfio_user_fd(rig.server);
  (void)state;
  assert_false(is_readable(fd));
  const struct vfio_user_access access = {0, 7, 4};
  rig_send(&rig, VFIO_USER_REGION_READ, 0, &access, sizeof access, NULL, 0);
  assert_true(is_readable(fd));
  rig_poll(&rig);
  assert_true(rig_receive(&rig, &reply));
  assert_false(is_readable(fd));
  /* Who comes while a client is served is taken in, to wait for that one to go; then wakes nobody.
   */
  int second = rig_connect_to(rig.path);
  assert_true(is_readable(fd));
  assert_int_equal(shunt_vfio_user_next_ns(rig.server), UINT64_MAX);
  shunt_virtual_clock_advance(&rig.time, 1000000); /* it is looked for no more often */
  assert_int_equal(shunt_vfio_user_poll(rig.server), 1);
  assert_int_not_equal(shunt_vfio_user_next_ns(rig.server), UINT64_MAX);
  assert_false(is_readable(fd));
  rig_leave(&rig);
  assert_true(is_readable(fd));
  assert_int_equal(shunt_vfio_user_poll(rig.server), 1);
  assert_int_equal(rig_count(&rig, "clients"), 1);
  rig_poll(&rig); /* there was more to do */
  assert_int_equal(rig_count(&rig, "clients"), 2);
  assert_int_equal(rig_count(&rig, "refused"), 0);
  close(second);
  rig_poll(&rig);
  assert_false(is_readable(fd));
}

/* ---- Several models behind one socket ---- */

static void serve_both(struct shunt_vfio_user *second)
{
  while (shunt_vfio_user_poll(rig.server) + shunt_vfio_user_poll(second) > 0)
    ;
}

static void who_connects_gets_a_free_one(void **state)
{
  struct rig_model *model = rig_model_create();
  struct shunt_vfio_user *second = NULL;
  struct shunt_error error;
  (void)state;
  assert_int_equal(shunt_vfio_user_join(&model->model, rig.server, NULL, &second, &error), 0);
  assert_int_equal(shunt_vfio_user_counter(second, "clients"), 0); /* the rig's has the first */
  int fds[3];
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(is_readable(shunt_vfio_user_fd(second)), 0);
    fds[i] = rig_connect_to(rig.path);
    assert_int_equal(is_readable(shunt_vfio_user_fd(second)), i == 0);
    serve_both(second);
  }
  assert_int_equal(shunt_vfio_user_counter(second, "clients"), 1);
  assert_int_equal(rig_count(&rig, "clients"), 1);
  close(fds[0]); /* the next waits for either, and only the one that is left is reset */
  serve_both(second);
  assert_int_equal(shunt_vfio_user_counter(second, "clients"), 2);
  assert_int_equal(model->resets, 1);
  assert_int_equal(rig.model->resets, 0);
  rig_leave(&rig);
  serve_both(second);
  assert_int_equal(rig_count(&rig, "clients"), 2);
  close(fds[1]);
  close(fds[2]);
  serve_both(second);
  assert_int_equal(rig.model->resets, 2);
  shunt_vfio_user_destroy(second);
  shunt_model_destroy(&model->model);
  assert_int_equal(access(rig.path, F_OK), 0); /* the first one's */
  rig_connect(&rig);
}

/* Who comes while all have a client is told so after a while, by the reply to its VERSION. */
static void who_comes_too_many_is_refused(void **state)
{
  struct rig_model *model = rig_model_create();
  struct shunt_vfio_user *second = NULL;
  struct shunt_error error;
  const int kept = rig.fd;
  (void)state;
  const struct shunt_vfio_user_options options = {.size = sizeof options, .clock = &rig.clock};
  assert_int_equal(shunt_vfio_user_join(&model->model, rig.server, &options, &second, &error), 0);
  int other = rig_connect_to(rig.path), silent = -1;
  serve_both(second);
  assert_int_equal(shunt_vfio_user_counter(second, "clients"), 1);
  for (int round = 0; round < 2; round++) { /* the second says nothing while it waits */
    const struct vfio_user_version version = {0, 0};
    rig.fd = rig_connect_to(rig.path);
    if (round == 0)
      rig_send(&rig, VFIO_USER_VERSION, 0, &version, sizeof version, NULL, 0);
    shunt_virtual_clock_advance(&rig.time, 1000000);
    serve_both(second);
    assert_int_equal(rig_count(&rig, "refused"), round);
    shunt_virtual_clock_advance(&rig.time, 499000000);
    serve_both(second);
    assert_int_equal(rig_count(&rig, "refused"), round);
    shunt_virtual_clock_advance(&rig.time, 1000000);
    assert_true(shunt_vfio_user_next_ns(rig.server) <= rig.time.now_ns);
    serve_both(second);
    assert_int_equal(rig_count(&rig, "refused"), round + 1);
    assert_int_equal(shunt_vfio_user_next_ns(rig.server), UINT64_MAX);
    if (round == 0) {
      assert_true(rig_receive(&rig, &reply));
      assert_int_equal(reply.header.command, VFIO_USER_VERSION);
      assert_true(reply.header.flags & VFIO_USER_FLAG_ERROR);
      assert_int_equal(reply.header.error, EBUSY);
    }
    assert_true(rig_is_dismissed(&rig));
    rig_leave(&rig);
  }
  /* One that waits gets the card that becomes free, whichever. */
  silent = rig_connect_to(rig.path);
  shunt_virtual_clock_advance(&rig.time, 1000000);
  serve_both(second);
  close(other);
  serve_both(second);
  assert_int_equal(shunt_vfio_user_counter(second, "clients"), 2);
  rig.fd = kept; /* who was served all the while */
  rig_read32(&rig, 7, 0);
  /* It may be the one that made the socket, while the other ends. */
  int last = rig_connect_to(rig.path);
  shunt_virtual_clock_advance(&rig.time, 1000000);
  serve_both(second);
  rig_leave(&rig);
  close(silent);
  shunt_vfio_user_destroy(second);
  shunt_model_destroy(&model->model);
  rig_poll(&rig);
  assert_int_equal(rig_count(&rig, "clients"), 2);
  close(last);
}

/* The name goes with the server that made it; whoever has a client keeps it. */
static void the_first_may_end_before(void **state)
{
  struct rig_model *model = rig_model_create();
  struct shunt_vfio_user *second = NULL;
  struct shunt_error error;
  (void)state;
  assert_int_equal(shunt_vfio_user_join(&model->model, rig.server, NULL, &second, &error), 0);
  int fd = rig_connect_to(rig.path);
  serve_both(second);
  rig_leave(&rig);
  shunt_vfio_user_destroy(rig.server);
  rig.server = second;
  struct rig_model *first = rig.model;
  rig.model = model;
  shunt_model_destroy(&first->model);
  assert_int_equal(access(rig.path, F_OK), -1);
  rig.fd = fd;
  assert_int_equal(rig_version(&rig, 0, 0, RIG_CAPABILITIES, sizeof RIG_CAPABILITIES, &reply), 0);
  rig_read32(&rig, 7, 0);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      RIG_TEST(the_socket_is_its_owners_alone),
      RIG_TEST(a_path_is_served_once),
      RIG_TEST(a_dead_servers_socket_is_replaced_and_no_other_file),
      RIG_TEST(impossible_paths_and_options_are_refused),
      RIG_TEST(one_descriptor_tells_of_everything),
      RIG_TEST(who_connects_gets_a_free_one),
      RIG_TEST(who_comes_too_many_is_refused),
      RIG_TEST(the_first_may_end_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
