/* queue.h: order, bounds, closing, and many threads at both ends. */
#include "runtime/base/queue.h"
#include "tests/unit/torture.h"

#include <sched.h>
#include <stdatomic.h>

#define N_PRODUCERS 4
#define N_ITEMS     20000 /* of each producer */

static void test_queue__push_pop__first_in_first_out_round_the_ring(void **state)
{
    (void)state;
    struct drift_queue q;
    int items[7];
    assert_int_equal(drift_queue_init(&q, 3, NULL, NULL), DRIFT_STATUS_OK);
    assert_null(drift_queue_pop(&q));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(drift_queue_push(&q, &items[(round + i) % 7]), DRIFT_STATUS_OK);
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(drift_queue_pop(&q), &items[(round + i) % 7]);
        assert_null(drift_queue_pop(&q));
        assert_int_equal(drift_queue_push(&q, &items[0]), DRIFT_STATUS_OK); /* shift the start */
        assert_ptr_equal(drift_queue_pop(&q), &items[0]);
    }
    drift_queue_fini(&q);
}

static void count_wake(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void test_queue__full_or_closed__refuses_and_does_not_wake(void **state)
{
    (void)state;
    struct drift_queue q;
    atomic_uint n_wakes = 0;
    int item;
    assert_int_equal(drift_queue_init(&q, 2, count_wake, &n_wakes), DRIFT_STATUS_OK);
    assert_int_equal(drift_queue_push(&q, &item), DRIFT_STATUS_OK);
    assert_int_equal(drift_queue_push(&q, &item), DRIFT_STATUS_OK);
    assert_int_equal(drift_queue_push(&q, &item), DRIFT_STATUS_BUSY);
    assert_int_equal(n_wakes, 2);
    assert_int_equal(drift_queue_count(&q), 2);
    drift_queue_close(&q);
    assert_ptr_equal(drift_queue_pop(&q), &item);
    assert_int_equal(drift_queue_push(&q, &item), DRIFT_STATUS_UNAVAILABLE);
    assert_ptr_equal(drift_queue_pop(&q), &item);
    assert_null(drift_queue_pop(&q));
    assert_int_equal(n_wakes, 2);
    drift_queue_fini(&q);
}

struct item {
    int producer, number;
};

struct traffic {
    struct drift_queue queue;
    struct item items[N_PRODUCERS][N_ITEMS];
    atomic_uint n_wakes, n_popped;
    atomic_int next_producer;
    atomic_uchar seen[N_PRODUCERS][N_ITEMS];
    atomic_int n_disordered;
};

static void *produce(void *arg)
{
    struct traffic *t = arg;
    int me = atomic_fetch_add(&t->next_producer, 1);
    for (int i = 0; i < N_ITEMS; i++) {
        struct item *item = &t->items[me][i];
        *item = (struct item){.producer = me, .number = i};
        while (drift_queue_push(&t->queue, item) == DRIFT_STATUS_BUSY)
            sched_yield();
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct traffic *t = arg;
    int last[N_PRODUCERS] = {-1, -1, -1, -1};
    while (atomic_load(&t->n_popped) < N_PRODUCERS * N_ITEMS) {
        const struct item *item = drift_queue_pop(&t->queue);
        if (!item) {
            sched_yield();
            continue;
        }
        atomic_fetch_add(&t->n_popped, 1);
        atomic_fetch_add(&t->seen[item->producer][item->number], 1);
        if (item->number <= last[item->producer])
            atomic_fetch_add(&t->n_disordered, 1);
        last[item->producer] = item->number;
    }
    return NULL;
}

static void test_queue__many_threads__every_item_once_and_in_order(void **state)
{
    (void)state;
    static struct traffic t;
    pthread_t producers[N_PRODUCERS], consumers[2];
    assert_int_equal(drift_queue_init(&t.queue, 64, count_wake, &t.n_wakes), DRIFT_STATUS_OK);
    for (int i = 0; i < N_PRODUCERS; i++)
        assert_int_equal(pthread_create(&producers[i], NULL, produce, &t), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, &t), 0);
    for (int i = 0; i < N_PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(consumers[i], NULL);
    for (int p = 0; p < N_PRODUCERS; p++)
        for (int i = 0; i < N_ITEMS; i++)
            assert_int_equal(t.seen[p][i], 1);
    assert_int_equal(t.n_disordered, 0);
    assert_int_equal(t.n_wakes, N_PRODUCERS * N_ITEMS);
    assert_int_equal(drift_queue_count(&t.queue), 0);
    drift_queue_fini(&t.queue);
}

static enum drift_status use_queue(void *ctx)
{
    struct drift_queue q;
    enum drift_status status = drift_queue_init(&q, 100, NULL, NULL);
    if (status != DRIFT_STATUS_OK)
        return status;
    for (int i = 0; i < 100; i++)
        assert_int_equal(drift_queue_push(&q, ctx), DRIFT_STATUS_OK); /* never allocates */
    while (drift_queue_pop(&q))
        ;
    drift_queue_fini(&q);
    return DRIFT_STATUS_OK;
}

static void test_queue__any_allocation_fails__only_init_reports_it(void **state)
{
    (void)state;
    int item;
    assert_int_equal(drift_torture(use_queue, &item, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue__push_pop__first_in_first_out_round_the_ring),
        cmocka_unit_test(test_queue__full_or_closed__refuses_and_does_not_wake),
        cmocka_unit_test(test_queue__many_threads__every_item_once_and_in_order),
        cmocka_unit_test(test_queue__any_allocation_fails__only_init_reports_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
