package clients

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestServerNamedQueues(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := must(ch.QueueDeclare("", false, false, true, false, nil))(t)
	if !regexp.MustCompile(`^amq\.gen-[A-Za-z0-9_-]{22}$`).MatchString(queue.Name) {
		t.Fatalf("name %q", queue.Name)
	}
	// The empty name now means the queue declared last on this channel.
	ok(t, ch.QueueBind("", "k", "amq.direct", false, nil))
	sendText(t, ch, "", queue.Name, "x")
	equal(t, "body", string(take(t, "delivery", consume(t, ch, "", true)).Body), "x")
}

func TestDeclareCountsMessagesAndConsumers(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	name := declare(t, ch, nil)
	ok(t, ch.Confirm(false))
	for range [3]int{} { // counts may overtake publishes, not confirms
		must(ch.PublishWithDeferredConfirm("", name, false, false, amqp.Publishing{}))(t).Wait()
	}
	queue := must(ch.QueueDeclarePassive(name, false, false, true, false, nil))(t)
	equal(t, "messages", queue.Messages, 3)
	equal(t, "consumers", queue.Consumers, 0)
	ok(t, ch.Qos(1, 0, false))
	consume(t, ch, name, false)
	queue = must(ch.QueueDeclarePassive(name, false, false, true, false, nil))(t)
	equal(t, "consumers", queue.Consumers, 1)
}

func TestPurgeAndDeleteReturnCounts(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	fill(t, ch, queue, "a", "b", "c")
	equal(t, "purged", must(ch.QueuePurge(queue, false))(t), 3)
	fill(t, ch, queue, "d", "e")
	equal(t, "deleted", must(ch.QueueDelete(queue, false, false, false))(t), 2)
	equal(t, "missing", must(ch.QueueDelete(queue, false, false, false))(t), 0)
}

func TestPrioritiesAreServedHighestFirst(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, amqp.Table{"x-max-priority": int32(10)})
	for n, priority := range []uint8{0, 5, 1, 10, 5, 200, 1} {
		send(t, ch, "", queue, amqp.Publishing{Priority: priority, Body: []byte(fmt.Sprint(n))})
	}
	// Above the maximum counts as the maximum, first come first served there.
	equal(t, "order", strings.Join(bodies(t, consume(t, ch, queue, true), 7), ""), "3514260")
}

func TestMaxLengthDropsTheOldest(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, amqp.Table{"x-max-length": int32(3)})
	fill(t, ch, queue, "a", "b", "c", "d", "e")
	equal(t, "kept", strings.Join(bodies(t, consume(t, ch, queue, true), 3), ""), "cde")
}

func TestExclusiveQueueLocksOthersOutAndDies(t *testing.T) {
	t.Parallel()
	owner, ch := session(t)
	other := dial(t)
	queue := declare(t, ch, nil)
	locked := fmt.Sprintf("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%s' in vhost '/'. "+
		"It could be originally declared on another connection or the exclusive property value does not match "+
		"that of the original declaration.", queue)
	if len(locked) > 255 {
		locked = locked[:252] + "..."
	}
	_, err := open(t, other).QueueDeclare(queue, false, false, true, false, nil)
	fails(t, err, amqp.ResourceLocked, locked)
	_, err = open(t, other).Consume(queue, "", true, false, false, false, nil)
	fails(t, err, amqp.ResourceLocked, locked)
	_, _, err = open(t, other).Get(queue, true)
	fails(t, err, amqp.ResourceLocked, locked)
	_, err = open(t, other).QueuePurge(queue, false)
	fails(t, err, amqp.ResourceLocked, locked)
	_, err = open(t, other).QueueDelete(queue, false, false, false)
	fails(t, err, amqp.ResourceLocked, locked)
	ok(t, owner.Close())
	until(t, "the queue goes with its connection", func() bool {
		_, err := open(t, other).QueueDeclarePassive(queue, false, false, false, false, nil)
		failure, amqpError := err.(*amqp.Error)
		return amqpError && failure.Code == amqp.NotFound
	})
}

func TestAutoDeleteQueueGoesWithItsLastConsumer(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	name := must(ch.QueueDeclare(unique(t, "q"), false, true, false, false, nil))(t).Name
	for _, tag := range []string{"one", "two"} {
		must(ch.Consume(name, tag, true, false, false, false, nil))(t)
	}
	ok(t, ch.Cancel("one", false))
	equal(t, "still there", depth(t, ch, name), 0)
	ok(t, ch.Cancel("two", false))
	until(t, "the queue is gone", func() bool {
		_, err := open(t, conn).QueueDeclarePassive(name, false, true, false, false, nil)
		return err != nil
	})
}

func TestQueueExpiresWhenUnused(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	name := must(ch.QueueDeclare(unique(t, "q"), false, false, false, false, amqp.Table{"x-expires": int32(150)}))(t).Name
	until(t, "the queue is gone", func() bool {
		_, err := open(t, conn).QueuePurge(name, false)
		return err != nil
	})
}

func TestQuorumQueueCountsDeliveries(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	dead := durable(t, ch, nil)
	queue := durable(t, ch, amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": int32(2),
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead,
	})
	ok(t, ch.Confirm(false))
	must(ch.PublishWithDeferredConfirm("", queue, false, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("poison")}))(t).Wait()
	deliveries := consume(t, ch, queue, false)
	for attempt := range [3]int{} {
		delivery := take(t, "attempt", deliveries)
		if attempt > 0 {
			equal(t, "x-delivery-count", fmt.Sprint(delivery.Headers["x-delivery-count"]), fmt.Sprint(attempt))
		}
		equal(t, "redelivered", delivery.Redelivered, attempt > 0)
		ok(t, delivery.Nack(false, true))
	}
	letter := take(t, "dead letter", consume(t, ch, dead, true))
	equal(t, "reason", deaths(t, letter)[0]["reason"], any("delivery_limit"))
}
