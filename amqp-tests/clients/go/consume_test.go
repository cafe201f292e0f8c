package clients

import (
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func fill(t *testing.T, ch *amqp.Channel, queue string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		sendText(t, ch, "", queue, text)
	}
}

func TestAckRemovesAndTheRestReturnsRedelivered(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	queue := declare(t, ch, nil)
	fill(t, ch, queue, "a", "b", "c", "d")
	deliveries := consume(t, ch, queue, false)
	for n, want := range []string{"a", "b", "c", "d"} {
		delivery := take(t, "first round", deliveries)
		equal(t, "order", string(delivery.Body), want)
		equal(t, "tag", delivery.DeliveryTag, uint64(n+1))
		equal(t, "fresh", delivery.Redelivered, false)
	}
	ok(t, ch.Ack(2, true))
	ok(t, ch.Ack(4, false))
	ok(t, ch.Close())
	again := take(t, "second round", consume(t, open(t, conn), queue, false))
	equal(t, "left over", string(again.Body), "c")
	equal(t, "redelivered", again.Redelivered, true)
}

func TestNackAndRejectRequeueInPlace(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	fill(t, ch, queue, "a", "b", "c", "d")
	var held []amqp.Delivery
	for range [3]int{} {
		delivery, found, err := ch.Get(queue, false)
		ok(t, err)
		equal(t, "found", found, true)
		held = append(held, delivery)
	}
	equal(t, "ready after three gets", held[2].MessageCount, 1)
	ok(t, held[1].Nack(false, true))
	ok(t, held[0].Reject(true))
	ok(t, held[2].Reject(false)) // no dead-letter exchange: gone
	deliveries := consume(t, ch, queue, true)
	for _, want := range []string{"a true", "b true", "d false"} {
		delivery := take(t, "requeued", deliveries)
		equal(t, "order", fmt.Sprint(string(delivery.Body), " ", delivery.Redelivered), want)
	}
}

func TestNackMultipleRequeuesAllUpToTheTag(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	fill(t, ch, queue, "a", "b", "c")
	ok(t, ch.Qos(3, 0, false))
	deliveries := consume(t, ch, queue, false)
	bodies(t, deliveries, 3)
	ok(t, ch.Nack(2, true, true))
	equal(t, "again", strings.Join(bodies(t, deliveries, 2), ""), "ab")
	ok(t, ch.Ack(0, true)) // tag 0: everything outstanding
	ok(t, ch.Qos(1, 0, false))
	equal(t, "left", depth(t, ch, queue), 0)
}

// A backlog must come whole although the client stays silent: heartbeats are
// slower than patience here, so nothing else wakes the broker's connection.
func TestABacklogArrivesWhole(t *testing.T) {
	t.Parallel()
	conn := dialConfig(t, brokerURL(), amqp.Config{Heartbeat: 3 * patience})
	for _, count := range []int{1000, 2999, 3000, 3001, 5000, 3000, 2000, 3000, 10_000, 3000} {
		ch := open(t, conn)
		queue := declare(t, ch, nil)
		for range count {
			sendText(t, ch, "", queue, "hello")
		}
		deliveries := consume(t, ch, queue, false)
		for n := range count {
			equal(t, "tag", take(t, "delivery", deliveries).DeliveryTag, uint64(n+1))
		}
		ok(t, ch.Close())
	}
}

func TestRecoverRequeuesEverythingUnacked(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	fill(t, ch, queue, "a", "b")
	deliveries := consume(t, ch, queue, false)
	bodies(t, deliveries, 2)
	ok(t, ch.Recover(true))
	for _, want := range []string{"a", "b"} {
		delivery := take(t, "recovered", deliveries)
		equal(t, "order", string(delivery.Body), want)
		equal(t, "redelivered", delivery.Redelivered, true)
	}
}

func TestPrefetchHoldsBackUntilAcks(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	watch := open(t, conn)
	queue := declare(t, ch, nil)
	ok(t, ch.Qos(2, 0, false))
	deliveries := consume(t, ch, queue, false)
	fill(t, ch, queue, "a", "b", "c", "d", "e")
	first := take(t, "first", deliveries)
	equal(t, "second", string(take(t, "second", deliveries).Body), "b")
	until(t, "the rest stays queued", func() bool { return depth(t, watch, queue) == 3 })
	equal(t, "nothing beyond the limit", len(deliveries), 0)
	ok(t, first.Ack(false))
	equal(t, "one ack, one message", string(take(t, "third", deliveries).Body), "c")
	equal(t, "queued", depth(t, watch, queue), 2)
}

func TestGlobalPrefetchIsSharedByTheChannel(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	watch := open(t, conn)
	one, two := declare(t, ch, nil), declare(t, ch, nil)
	fill(t, ch, one, "1a", "1b", "1c")
	fill(t, ch, two, "2a", "2b", "2c")
	ok(t, ch.Qos(3, 0, true))
	left, right := consume(t, ch, one, false), consume(t, ch, two, false)
	equal(t, "left", strings.Join(bodies(t, left, 3), " "), "1a 1b 1c")
	equal(t, "the first consumer took the whole limit", depth(t, watch, two), 3)
	ok(t, ch.Ack(0, true))
	equal(t, "right", strings.Join(bodies(t, right, 3), " "), "2a 2b 2c")
}

func TestWorkIsSharedRoundRobin(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	queue := declare(t, ch, nil)
	var workers []<-chan amqp.Delivery
	for range [3]int{} {
		worker := open(t, conn)
		ok(t, worker.Qos(10, 0, false))
		workers = append(workers, consume(t, worker, queue, false))
	}
	for n := range [9]int{} {
		sendText(t, ch, "", queue, fmt.Sprint(n))
	}
	for n, worker := range workers {
		equal(t, fmt.Sprint("worker ", n), strings.Join(bodies(t, worker, 3), " "),
			fmt.Sprint(n, " ", n+3, " ", n+6))
	}
}

func TestConsumerPriorityIsServedFirst(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	low := must(ch.Consume(queue, "low", true, false, false, false, amqp.Table{"x-priority": int32(-1)}))(t)
	high := must(ch.Consume(queue, "high", true, false, false, false, amqp.Table{"x-priority": int32(5)}))(t)
	fill(t, ch, queue, "a", "b", "c")
	equal(t, "high", strings.Join(bodies(t, high, 3), ""), "abc")
	ok(t, ch.Cancel("high", false))
	fill(t, ch, queue, "d")
	equal(t, "low", string(take(t, "low", low).Body), "d")
}

func TestSingleActiveConsumerHandsOver(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, amqp.Table{"x-single-active-consumer": true})
	first := must(ch.Consume(queue, "first", true, false, false, false, nil))(t)
	second := must(ch.Consume(queue, "second", true, false, false, false, nil))(t)
	fill(t, ch, queue, "a", "b")
	equal(t, "active", strings.Join(bodies(t, first, 2), ""), "ab")
	equal(t, "waiting", len(second), 0)
	ok(t, ch.Cancel("first", false))
	fill(t, ch, queue, "c")
	equal(t, "promoted", string(take(t, "second", second).Body), "c")
}

func TestExclusiveConsumerKeepsOthersOut(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	queue := declare(t, ch, nil)
	must(ch.Consume(queue, "", true, true, false, false, nil))(t)
	_, err := open(t, conn).Consume(queue, "", true, false, false, false, nil)
	fails(t, err, amqp.AccessRefused,
		fmt.Sprintf("ACCESS_REFUSED - queue '%s' in vhost '/' in exclusive use", queue))
}

func TestConsumersAreToldWhenTheirQueueGoes(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	queue := durable(t, ch, nil)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	deliveries := must(ch.Consume(queue, "watcher", false, false, false, false, nil))(t)
	must(open(t, conn).QueueDelete(queue, false, false, false))(t)
	equal(t, "cancelled tag", take(t, "cancel", cancelled), "watcher")
	closed(t, "deliveries", deliveries)
	equal(t, "the channel lives on", depth(t, ch, declare(t, ch, nil)), 0)
}

func TestCancelStopsDeliveriesAndKeepsUnackedUsable(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	ok(t, ch.Qos(1, 0, false))
	deliveries := must(ch.Consume(queue, "c", false, false, false, false, nil))(t)
	fill(t, ch, queue, "a", "b")
	held := take(t, "delivery", deliveries)
	ok(t, ch.Cancel("c", false))
	closed(t, "deliveries", deliveries)
	ok(t, held.Ack(false))
	left, found, err := ch.Get(queue, true)
	ok(t, err)
	equal(t, "found", found, true)
	equal(t, "left", string(left.Body), "b")
	ok(t, ch.Cancel("never-existed", false))
}

func TestGetOnAnEmptyQueue(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	_, found, err := ch.Get(declare(t, ch, nil), true)
	ok(t, err)
	equal(t, "found", found, false)
}
