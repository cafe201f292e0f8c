package clients

import (
	"context"
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func deaths(t *testing.T, delivery amqp.Delivery) []amqp.Table {
	t.Helper()
	list, isList := delivery.Headers["x-death"].([]any)
	if !isList {
		t.Fatalf("x-death is %#v", delivery.Headers["x-death"])
	}
	var out []amqp.Table
	for _, entry := range list {
		out = append(out, entry.(amqp.Table))
	}
	return out
}

// The usual retry: a rejected job waits in a queue with a TTL and comes back;
// the consumer counts its deaths.
func TestRetryThroughADelayQueueCountsDeaths(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	jobs, delays := exchange(t, ch, "direct", nil), exchange(t, ch, "direct", nil)
	work := declare(t, ch, amqp.Table{"x-dead-letter-exchange": delays})
	wait := declare(t, ch, amqp.Table{"x-dead-letter-exchange": jobs, "x-message-ttl": int32(30)})
	ok(t, ch.QueueBind(work, "job", jobs, false, nil))
	ok(t, ch.QueueBind(wait, "job", delays, false, nil))
	deliveries := consume(t, ch, work, false)
	send(t, ch, jobs, "job", amqp.Publishing{Headers: amqp.Table{"kept": "yes"}, Body: []byte("w")})
	for attempt := int64(0); attempt < 4; attempt++ {
		delivery := take(t, "attempt", deliveries)
		equal(t, "own header", delivery.Headers["kept"], any("yes"))
		if attempt == 0 {
			equal(t, "no deaths yet", delivery.Headers["x-death"] == nil, true)
		} else {
			seen := deaths(t, delivery)
			equal(t, "entries", len(seen), 2)
			for n, want := range []struct{ reason, queue, from string }{
				{"expired", wait, delays}, {"rejected", work, jobs},
			} {
				equal(t, "count", seen[n]["count"], any(attempt))
				equal(t, "reason", seen[n]["reason"], any(want.reason))
				equal(t, "queue", seen[n]["queue"], any(want.queue))
				equal(t, "exchange", seen[n]["exchange"], any(want.from))
				equal(t, "keys", fmt.Sprint(seen[n]["routing-keys"]), "[job]")
			}
			equal(t, "first reason", delivery.Headers["x-first-death-reason"], any("rejected"))
			equal(t, "first queue", delivery.Headers["x-first-death-queue"], any(work))
			equal(t, "first exchange", delivery.Headers["x-first-death-exchange"], any(jobs))
		}
		if attempt < 3 {
			ok(t, delivery.Nack(false, false))
		} else {
			ok(t, delivery.Ack(false))
		}
	}
}

func TestPerMessageExpirationIsKeptInTheDeath(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	dead := declare(t, ch, nil)
	queue := declare(t, ch, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
	send(t, ch, "", queue, amqp.Publishing{Expiration: "20", Body: []byte("late")})
	letter := take(t, "dead letter", consume(t, ch, dead, true))
	equal(t, "expiration removed", letter.Expiration, "")
	equal(t, "routing key", letter.RoutingKey, dead)
	death := deaths(t, letter)[0]
	equal(t, "original", death["original-expiration"], any("20"))
	equal(t, "reason", death["reason"], any("expired"))
	equal(t, "keys", fmt.Sprint(death["routing-keys"]), fmt.Sprintf("[%s]", queue))
}

func TestOverflowDeadLettersTheHead(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	dead := declare(t, ch, nil)
	queue := declare(t, ch, amqp.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-max-length": int32(1),
	})
	fill(t, ch, queue, "a", "b")
	letter := take(t, "dead letter", consume(t, ch, dead, true))
	equal(t, "body", string(letter.Body), "a")
	equal(t, "reason", deaths(t, letter)[0]["reason"], any("maxlen"))
}

func TestZeroTTLDeliversOnlyToWaitingConsumers(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, amqp.Table{"x-message-ttl": int32(0)})
	ok(t, ch.Confirm(false))
	must(ch.PublishWithDeferredConfirm("", queue, false, false, amqp.Publishing{Body: []byte("lost")}))(t).Wait()
	equal(t, "nobody waited", depth(t, ch, queue), 0)
	deliveries := consume(t, ch, queue, true)
	sendText(t, ch, "", queue, "caught")
	equal(t, "somebody waited", string(take(t, "delivery", deliveries).Body), "caught")
}

func TestRemoteCallsThroughDirectReplyTo(t *testing.T) {
	t.Parallel()
	const pseudo = "amq.rabbitmq.reply-to"
	_, serving := session(t)
	_, calling := session(t)
	queue := declare(t, serving, nil)
	requests := consume(t, serving, queue, true)
	go func() {
		for request := range requests {
			_ = serving.PublishWithContext(context.Background(), "", request.ReplyTo, false, false,
				amqp.Publishing{CorrelationId: request.CorrelationId, Body: append([]byte("re:"), request.Body...)})
		}
	}()
	replies := must(calling.Consume(pseudo, "", true, false, false, false, nil))(t)
	// The queue is exclusive to the server's connection, yet publishing needs no lock.
	for n := range [100]int{} {
		id := fmt.Sprint(n)
		send(t, calling, "", queue, amqp.Publishing{ReplyTo: pseudo, CorrelationId: id, Body: []byte(id)})
		reply := take(t, "reply", replies)
		equal(t, "correlation", reply.CorrelationId, id)
		equal(t, "body", string(reply.Body), "re:"+id)
		equal(t, "exchange", reply.Exchange, "")
	}
}

func TestDirectReplyToNeedsAConsumer(t *testing.T) {
	t.Parallel()
	conn := dial(t)
	ch := open(t, conn)
	failures := ch.NotifyClose(make(chan *amqp.Error, 1))
	send(t, ch, "", declare(t, ch, nil), amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to"})
	fails(t, take(t, "close", failures), amqp.PreconditionFailed,
		"PRECONDITION_FAILED - fast reply consumer does not exist")
	_, err := open(t, conn).Consume("amq.rabbitmq.reply-to", "", false, false, false, false, nil)
	fails(t, err, amqp.PreconditionFailed, "PRECONDITION_FAILED - reply consumer cannot acknowledge")
}

func TestRemoteCallsThroughAnExclusiveReplyQueue(t *testing.T) {
	t.Parallel()
	_, serving := session(t)
	_, calling := session(t)
	queue := declare(t, serving, nil)
	requests := consume(t, serving, queue, false)
	answers := must(calling.QueueDeclare("", false, true, true, false, nil))(t).Name
	replies := consume(t, calling, answers, true)
	send(t, calling, "", queue, amqp.Publishing{ReplyTo: answers, CorrelationId: "7", Body: []byte("?")})
	request := take(t, "request", requests)
	send(t, serving, "", request.ReplyTo, amqp.Publishing{CorrelationId: request.CorrelationId, Body: []byte("!")})
	ok(t, request.Ack(false))
	reply := take(t, "reply", replies)
	equal(t, "answer", reply.CorrelationId+string(reply.Body), "7!")
}
