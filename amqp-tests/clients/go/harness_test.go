// Package clients does what users of amqp091-go do daily, against the broker
// named by AMQP_URL. It speaks AMQP only, so that any broker can stand behind
// the address. Tests share no name and run in parallel.
package clients

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// patience bounds every wait: long enough for a loaded machine, never a delay.
const patience = 20 * time.Second

func brokerURL() string {
	if url := os.Getenv("AMQP_URL"); url != "" {
		return url
	}
	return "amqp://guest:guest@127.0.0.1:5672/%2f"
}

// unique returns a name that no other run uses.
func unique(t *testing.T, what string) string {
	t.Helper()
	raw := make([]byte, 6)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	return "go." + t.Name() + "." + what + "." + hex.EncodeToString(raw)
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// dial opens a connection that ends with the test.
func dial(t *testing.T) *amqp.Connection {
	t.Helper()
	return dialConfig(t, brokerURL(), amqp.Config{})
}

func dialConfig(t *testing.T, url string, config amqp.Config) *amqp.Connection {
	t.Helper()
	if config.Properties == nil {
		config.Properties = amqp.NewConnectionProperties()
		config.Properties.SetClientConnectionName(t.Name())
	}
	conn := must(amqp.DialConfig(url, config))(t)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func open(t *testing.T, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	return must(conn.Channel())(t)
}

// session is a fresh connection with one channel.
func session(t *testing.T) (*amqp.Connection, *amqp.Channel) {
	t.Helper()
	conn := dial(t)
	return conn, open(t, conn)
}

// declare makes a queue that ends with its connection.
func declare(t *testing.T, ch *amqp.Channel, args amqp.Table) string {
	t.Helper()
	return must(ch.QueueDeclare(unique(t, "q"), false, false, true, false, args))(t).Name
}

// durable makes a shared queue and removes it after the test.
func durable(t *testing.T, ch *amqp.Channel, args amqp.Table) string {
	t.Helper()
	name := must(ch.QueueDeclare(unique(t, "q"), true, false, false, false, args))(t).Name
	dropQueue(t, name)
	return name
}

func dropQueue(t *testing.T, name string) {
	t.Cleanup(func() {
		conn, err := amqp.Dial(brokerURL())
		if err != nil {
			return
		}
		defer conn.Close()
		if ch, err := conn.Channel(); err == nil {
			_, _ = ch.QueueDelete(name, false, false, false)
		}
	})
}

// exchange makes an exchange and removes it after the test.
func exchange(t *testing.T, ch *amqp.Channel, kind string, args amqp.Table) string {
	t.Helper()
	name := unique(t, kind)
	ok(t, ch.ExchangeDeclare(name, kind, false, false, false, false, args))
	t.Cleanup(func() {
		conn, err := amqp.Dial(brokerURL())
		if err != nil {
			return
		}
		defer conn.Close()
		if ch, err := conn.Channel(); err == nil {
			_ = ch.ExchangeDelete(name, false, false)
		}
	})
	return name
}

func send(t *testing.T, ch *amqp.Channel, exchange, key string, msg amqp.Publishing) {
	t.Helper()
	ok(t, ch.PublishWithContext(context.Background(), exchange, key, false, false, msg))
}

func sendText(t *testing.T, ch *amqp.Channel, exchange, key, text string) {
	t.Helper()
	send(t, ch, exchange, key, amqp.Publishing{Body: []byte(text)})
}

func consume(t *testing.T, ch *amqp.Channel, queue string, autoAck bool) <-chan amqp.Delivery {
	t.Helper()
	return must(ch.Consume(queue, "", autoAck, false, false, false, nil))(t)
}

// take waits for one value.
func take[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case value, open := <-from:
		if !open {
			t.Fatalf("%s: the Go channel was closed", what)
		}
		return value
	case <-time.After(patience):
		t.Fatalf("%s: nothing came", what)
	}
	panic("unreachable")
}

// closed waits until a delivery channel ends.
func closed[T any](t *testing.T, what string, from <-chan T) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-from:
			if !open {
				return
			}
		case <-deadline:
			t.Fatalf("%s: still open", what)
		}
	}
}

func bodies(t *testing.T, from <-chan amqp.Delivery, count int) []string {
	t.Helper()
	out := make([]string, 0, count)
	for len(out) < count {
		out = append(out, string(take(t, "delivery", from).Body))
	}
	return out
}

// until polls a condition with a bound.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// depth is the number of ready messages, asked on a channel of its own.
func depth(t *testing.T, ch *amqp.Channel, queue string) int {
	t.Helper()
	return must(ch.QueueDeclarePassive(queue, false, false, false, false, nil))(t).Messages
}

// fails requires an AMQP error of the given code whose text contains what.
func fails(t *testing.T, err error, code int, text string) {
	t.Helper()
	var failure *amqp.Error
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want an AMQP error %d", err, code)
	}
	equal(t, "reply code", failure.Code, code)
	equal(t, "reply text", failure.Reason, text)
}
