package clients

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Each case closes one channel with one text; its connection stays usable.
func TestChannelErrors(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	queue := declare(t, ch, nil)
	source := exchange(t, ch, "direct", nil)
	inner := unique(t, "internal")
	ok(t, ch.ExchangeDeclare(inner, "direct", false, true, true, false, nil))
	ok(t, ch.ExchangeBind(source, "k", inner, false, nil))
	missing := unique(t, "missing")
	publish := func(exchange, key string, msg amqp.Publishing) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			failures := ch.NotifyClose(make(chan *amqp.Error, 1))
			send(t, ch, exchange, key, msg)
			return take(t, "close", failures)
		}
	}
	redeclare := func(durable bool, args amqp.Table) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(queue, durable, false, true, false, args)
			return err
		}
	}
	fresh := func(args amqp.Table) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(missing, false, false, true, false, args)
			return err
		}
	}
	acknowledge := func(ch *amqp.Channel) error {
		failures := ch.NotifyClose(make(chan *amqp.Error, 1))
		ok(t, ch.Ack(99, false))
		return take(t, "close", failures)
	}
	noQueue := fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '/'", missing)
	noExchange := fmt.Sprintf("NOT_FOUND - no exchange '%s' in vhost '/'", missing)
	for name, one := range map[string]struct {
		code int
		text string
		act  func(*amqp.Channel) error
	}{
		"consume from a missing queue": {404, noQueue, func(ch *amqp.Channel) error {
			_, err := ch.Consume(missing, "", true, false, false, false, nil)
			return err
		}},
		"get from a missing queue": {404, noQueue, func(ch *amqp.Channel) error {
			_, _, err := ch.Get(missing, true)
			return err
		}},
		"purge a missing queue": {404, noQueue, func(ch *amqp.Channel) error {
			_, err := ch.QueuePurge(missing, false)
			return err
		}},
		"passive declare of a missing queue": {404, noQueue, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive(missing, false, false, false, false, nil)
			return err
		}},
		"bind a missing queue": {404, noQueue, func(ch *amqp.Channel) error {
			return ch.QueueBind(missing, "k", source, false, nil)
		}},
		"bind to a missing exchange": {404, noExchange, func(ch *amqp.Channel) error {
			return ch.QueueBind(queue, "k", missing, false, nil)
		}},
		"passive declare of a missing exchange": {404, noExchange, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(missing, "direct", false, false, false, false, nil)
		}},
		"publish to a missing exchange": {404, noExchange, publish(missing, "k", amqp.Publishing{})},
		"no queue declared yet": {404, "NOT_FOUND - no previously declared queue", func(ch *amqp.Channel) error {
			_, _, err := ch.Get("", true)
			return err
		}},
		"reserved queue name": {403,
			"ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'",
			func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclare("amq.mine", false, false, true, false, nil)
				return err
			}},
		"reserved exchange name": {403,
			"ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'",
			func(ch *amqp.Channel) error {
				return ch.ExchangeDeclare("amq.mine", "direct", false, false, false, false, nil)
			}},
		"bind to the default exchange": {403,
			"ACCESS_REFUSED - operation not permitted on the default exchange",
			func(ch *amqp.Channel) error { return ch.QueueBind(queue, "k", "", false, nil) }},
		"delete a system exchange": {403,
			"ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
			func(ch *amqp.Channel) error { return ch.ExchangeDelete("amq.direct", false, false) }},
		"publish to an internal exchange": {403,
			fmt.Sprintf("ACCESS_REFUSED - cannot publish to internal exchange '%s' in vhost '/'", inner),
			publish(inner, "k", amqp.Publishing{})},
		"redeclare with an argument": {406,
			fmt.Sprintf("PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '%s' in vhost '/': "+
				"received the value '1000' of type 'signedint' but current is none", queue),
			redeclare(false, amqp.Table{"x-message-ttl": int32(1000)})},
		"redeclare an exchange with another type": {406,
			fmt.Sprintf("PRECONDITION_FAILED - inequivalent arg 'type' for exchange '%s' in vhost '/': "+
				"received 'fanout' but current is 'direct'", source),
			func(ch *amqp.Channel) error {
				return ch.ExchangeDeclare(source, "fanout", false, false, false, false, nil)
			}},
		"invalid expires": {406,
			fmt.Sprintf("PRECONDITION_FAILED - invalid arg 'x-expires' for queue '%s' in vhost '/': {value_zero,0}", missing),
			fresh(amqp.Table{"x-expires": int32(0)})},
		"invalid expiration": {406, "PRECONDITION_FAILED - invalid expiration 'soon': no_integer",
			publish("", queue, amqp.Publishing{Expiration: "soon"})},
		"another user's id": {406,
			"PRECONDITION_FAILED - user_id property set to 'mallory' but authenticated user was 'guest'",
			publish("", queue, amqp.Publishing{UserId: "mallory"})},
		"unknown delivery tag": {406, "PRECONDITION_FAILED - unknown delivery tag 99", acknowledge},
		"delete a used exchange": {406,
			fmt.Sprintf("PRECONDITION_FAILED - exchange '%s' in vhost '/' in use", inner),
			func(ch *amqp.Channel) error { return ch.ExchangeDelete(inner, true, false) }},
	} {
		fails(t, one.act(open(t, conn)), one.code, one.text)
		if t.Failed() {
			t.Log(name)
		}
	}
	equal(t, "the connection lives on", conn.IsClosed(), false)
}

func TestDeleteConditions(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	full, used := declare(t, ch, nil), declare(t, ch, nil)
	fill(t, ch, full, "x")
	consume(t, ch, used, true)
	_, err := open(t, conn).QueueDelete(full, false, true, false)
	fails(t, err, 406, fmt.Sprintf("PRECONDITION_FAILED - queue '%s' in vhost '/' not empty", full))
	_, err = open(t, conn).QueueDelete(used, true, false, false)
	fails(t, err, 406, fmt.Sprintf("PRECONDITION_FAILED - queue '%s' in vhost '/' in use", used))
}

// Each case ends a whole connection.
func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	name := unique(t, "q")
	for _, one := range []struct {
		code int
		text string
		act  func(*amqp.Channel) error
	}{
		{530, "NOT_ALLOWED - attempt to reuse consumer tag 'same'", func(ch *amqp.Channel) error {
			queue := declare(t, ch, nil)
			must(ch.Consume(queue, "same", true, false, false, false, nil))(t)
			_, err := ch.Consume(queue, "same", true, false, false, false, nil)
			if err == nil {
				return errors.New("reused")
			}
			return err
		}},
		{503, "COMMAND_INVALID - unknown exchange type 'strange'", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(name, "strange", false, false, false, false, nil)
		}},
		{540, "NOT_IMPLEMENTED - immediate=true", func(ch *amqp.Channel) error {
			return ch.PublishWithContext(context.Background(), "", name, false, true, amqp.Publishing{})
		}},
		{540, "NOT_IMPLEMENTED - prefetch_size!=0 (10)", func(ch *amqp.Channel) error {
			return ch.Qos(0, 10, false)
		}},
		{540, "NOT_IMPLEMENTED - requeue=false", func(ch *amqp.Channel) error { return ch.Recover(false) }},
		{540, "NOT_IMPLEMENTED - active=false", func(ch *amqp.Channel) error { return ch.Flow(false) }},
	} {
		conn, ch := session(t)
		failures := conn.NotifyClose(make(chan *amqp.Error, 1))
		_ = one.act(ch)
		fails(t, take(t, one.text, failures), one.code, one.text)
		equal(t, "closed", conn.IsClosed(), true)
	}
}

func TestLoginErrors(t *testing.T) {
	t.Parallel()
	wrong := must(url.Parse(brokerURL()))(t)
	wrong.User = url.UserPassword("guest", "not-the-password")
	_, err := amqp.Dial(wrong.String())
	// The client words a refused login itself; the code is the broker's.
	var failure *amqp.Error
	if !errors.As(err, &failure) || failure.Code != amqp.AccessRefused {
		t.Fatalf("got %v", err)
	}
	_, err = amqp.DialConfig(brokerURL(), amqp.Config{Vhost: "no-such-vhost"})
	if err == nil {
		t.Fatal("opened a missing vhost")
	}
}
