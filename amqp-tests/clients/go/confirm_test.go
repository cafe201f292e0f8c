package clients

import (
	"context"
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestThousandsOfConfirmsInFlight(t *testing.T) {
	t.Parallel()
	const count = 10_000
	_, ch := session(t)
	queue := declare(t, ch, nil)
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, count))
	ok(t, ch.Confirm(false))
	for n := range [count]int{} {
		sendText(t, ch, "", queue, fmt.Sprint(n))
	}
	for n := range [count]int{} {
		confirmation := take(t, "confirm", confirms)
		if !confirmation.Ack || confirmation.DeliveryTag != uint64(n+1) {
			t.Fatalf("confirm %d is %+v", n+1, confirmation)
		}
	}
	equal(t, "queued", depth(t, ch, queue), count)
}

func TestDeferredConfirmsOfPersistentMessages(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := durable(t, ch, nil)
	ok(t, ch.Confirm(false))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var pending []*amqp.DeferredConfirmation
	for range [500]int{} {
		pending = append(pending, must(ch.PublishWithDeferredConfirmWithContext(
			ctx, "", queue, false, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("p")},
		))(t))
	}
	for _, one := range pending {
		equal(t, "acknowledged", must(one.WaitContext(ctx))(t), true)
	}
	equal(t, "queued", depth(t, ch, queue), 500)
}

// One Go channel cannot show the order of two notifications, so returns and
// confirms are counted: when a confirm is here, its return must be too.
func TestMandatoryReturnsComeBeforeTheirConfirms(t *testing.T) {
	t.Parallel()
	const count = 200
	_, ch := session(t)
	missing := unique(t, "missing")
	returns := ch.NotifyReturn(make(chan amqp.Return, count))
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, count))
	ok(t, ch.Confirm(false))
	for n := range [count]int{} {
		ok(t, ch.PublishWithContext(context.Background(), "", missing, true, false,
			amqp.Publishing{MessageId: fmt.Sprint(n), Body: []byte("back")}))
	}
	for n := range [count]int{} {
		confirmation := take(t, "confirm", confirms)
		equal(t, "confirmed", confirmation.Ack, true)
		select {
		case back := <-returns:
			equal(t, "returned id", back.MessageId, fmt.Sprint(n))
			equal(t, "code", back.ReplyCode, uint16(amqp.NoRoute))
			equal(t, "text", back.ReplyText, "NO_ROUTE")
			equal(t, "key", back.RoutingKey, missing)
			equal(t, "body", string(back.Body), "back")
		default:
			t.Fatalf("confirm %d came before its return", n)
		}
	}
}

func TestMandatoryIsSilentWhenRouted(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	ok(t, ch.Confirm(false))
	one := must(ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{}))(t)
	equal(t, "acknowledged", one.Wait(), true)
	equal(t, "returns", len(returns), 0)
	equal(t, "queued", depth(t, ch, queue), 1)
}

func TestRejectPublishNacks(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, amqp.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"})
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 4))
	ok(t, ch.Confirm(false))
	for n := range [4]int{} {
		sendText(t, ch, "", queue, fmt.Sprint(n))
	}
	acked := map[uint64]bool{}
	for range [4]int{} {
		confirmation := take(t, "confirm", confirms)
		acked[confirmation.DeliveryTag] = confirmation.Ack
	}
	equal(t, "outcome", fmt.Sprint(acked), fmt.Sprint(map[uint64]bool{1: true, 2: true, 3: false, 4: false}))
	equal(t, "queued", depth(t, ch, queue), 2)
}

func TestTransactionsCommitAndRollBack(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	watch := open(t, conn)
	queue := declare(t, ch, nil)
	ok(t, ch.Tx())
	sendText(t, ch, "", queue, "kept")
	equal(t, "before commit", depth(t, watch, queue), 0)
	ok(t, ch.TxCommit())
	until(t, "the commit publishes", func() bool { return depth(t, watch, queue) == 1 })
	sendText(t, ch, "", queue, "dropped")
	ok(t, ch.TxRollback())

	first := take(t, "delivery", consume(t, ch, queue, false))
	ok(t, first.Ack(false))
	ok(t, ch.TxRollback())
	ok(t, ch.Recover(true))
	ok(t, ch.Close())
	until(t, "the rolled-back ack returns the message", func() bool { return depth(t, watch, queue) == 1 })
	again, found, err := watch.Get(queue, true)
	ok(t, err)
	equal(t, "found", found, true)
	equal(t, "redelivered", again.Redelivered, true)
	equal(t, "body", string(again.Body), "kept")
	_, found, err = watch.Get(queue, true)
	ok(t, err)
	equal(t, "the rolled-back publish exists", found, false)
}

func TestConfirmAndTxExcludeEachOther(t *testing.T) {
	t.Parallel()
	conn := dial(t)
	confirming, transactional := open(t, conn), open(t, conn)
	ok(t, confirming.Confirm(false))
	fails(t, confirming.Tx(), amqp.PreconditionFailed,
		"PRECONDITION_FAILED - cannot switch from confirm to tx mode")
	ok(t, transactional.Tx())
	fails(t, transactional.Confirm(false), amqp.PreconditionFailed,
		"PRECONDITION_FAILED - cannot switch from tx to confirm mode")
	fails(t, open(t, conn).TxCommit(), amqp.PreconditionFailed,
		"PRECONDITION_FAILED - channel is not transactional")
}
