/* SPDX-License-Identifier: BSD-2-Clause */
/* Open MPI, tried: a ring through all ranks and an all-to-all exchange, in growing sizes, each byte
 * looked at. The first rank prints "ok" and "not ok" lines and, as the OSU benchmarks do, what a
 * round took.
 *
 *   efa_mpi LARGEST   bytes from one rank to another, at most: a power of 8 */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 3
#define TAG    5

static int rank, ranks;

/* What rank from sends to rank to, in such a round. */
static uint8_t byte_of(int from, int to, int round, size_t at)
{
  return (uint8_t)((at * 2654435761u + (unsigned)from * 40503u + (unsigned)to * 9973u +
                    (unsigned)round * 61u) >>
                   7);
}

static void fill(uint8_t *bytes, size_t n, int from, int to, int round)
{
  for (size_t at = 0; at < n; at++)
    bytes[at] = byte_of(from, to, round, at);
}

static unsigned long wrong(const uint8_t *bytes, size_t n, int from, int to, int round)
{
  unsigned long sum = 0;
  for (size_t at = 0; at < n; at++)
    sum += bytes[at] != byte_of(from, to, round, at);
  return sum;
}

/* A token goes around: each rank waits for it, adds one to its head, and hands it on. Back at the
 * first it has counted all ranks, and its bytes are what they were. */
static unsigned long ring(uint8_t *bytes, size_t n, int round)
{
  const int before = (rank + ranks - 1) % ranks, after = (rank + 1) % ranks;
  unsigned long failed = 0;
  int count = 0;
  if (rank == 0) {
    fill(bytes, n, 0, 0, round);
    MPI_Send(&count, 1, MPI_INT, after, TAG, MPI_COMM_WORLD);
    MPI_Send(bytes, (int)n, MPI_BYTE, after, TAG, MPI_COMM_WORLD);
  }
  MPI_Recv(&count, 1, MPI_INT, before, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Recv(bytes, (int)n, MPI_BYTE, before, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  failed += wrong(bytes, n, 0, 0, round);
  count++;
  if (rank == 0)
    return failed + (count != ranks);
  MPI_Send(&count, 1, MPI_INT, after, TAG, MPI_COMM_WORLD);
  MPI_Send(bytes, (int)n, MPI_BYTE, after, TAG, MPI_COMM_WORLD);
  return failed;
}

static unsigned long all_to_all(uint8_t *bytes, size_t n, int round)
{
  uint8_t *received = bytes + n * (size_t)ranks;
  unsigned long failed = 0;
  for (int to = 0; to < ranks; to++) {
    fill(bytes + n * (size_t)to, n, rank, to, round);
    fill(received + n * (size_t)to, n, to, rank, round + 1); /* none of what is to come */
  }
  MPI_Alltoall(bytes, (int)n, MPI_BYTE, received, (int)n, MPI_BYTE, MPI_COMM_WORLD);
  for (int from = 0; from < ranks; from++)
    failed += wrong(received + n * (size_t)from, n, from, rank, round);
  return failed;
}

static void try(const char *name, unsigned long (*round)(uint8_t *, size_t, int), uint8_t *bytes,
                size_t largest)
{
  unsigned long failed = 0, sum = 0;
  for (size_t n = 1; n <= largest; n *= 8) {
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    for (int i = 0; i < ROUNDS; i++)
      failed += round(bytes, n, i);
    if (rank == 0)
      printf("%-10s %8zu bytes %10.0f us\n", name, n, (MPI_Wtime() - start) * 1e6 / ROUNDS);
  }
  MPI_Reduce(&failed, &sum, 1, MPI_UNSIGNED_LONG, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank != 0)
    return;
  if (sum == 0)
    printf("ok %s of %d ranks, to %zu bytes\n", name, ranks, largest);
  else
    printf("not ok %s of %d ranks: %lu bytes are not what was sent\n", name, ranks, sum);
  fflush(stdout);
}

int main(int argc, char **argv)
{
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  size_t largest = argc == 2 ? strtoul(argv[1], NULL, 0) : 0;
  uint8_t *bytes = malloc(2 * largest * (size_t)ranks + 1);
  if (!largest || !bytes) {
    fprintf(stderr, "efa_mpi LARGEST\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
    return 2;
  }
  try("ring", ring, bytes, largest);
  try("all-to-all", all_to_all, bytes, largest);
  free(bytes);
  MPI_Finalize();
  return 0;
}
