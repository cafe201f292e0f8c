package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestNegotiationAndServerProperties(t *testing.T) {
	t.Parallel()
	conn := dialConfig(t, brokerURL(), amqp.Config{Heartbeat: 7 * time.Second, ChannelMax: 50})
	equal(t, "heartbeat", conn.Config.Heartbeat, 7*time.Second)
	equal(t, "channels", conn.Config.ChannelMax, uint16(50))
	equal(t, "frame", conn.Config.FrameSize, 131072)
	capabilities := conn.Properties["capabilities"].(amqp.Table)
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
		"connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos",
		"direct_reply_to",
	} {
		equal(t, name, capabilities[name], any(true))
	}
}

func TestManyChannelsOnOneConnection(t *testing.T) {
	t.Parallel()
	const count = 300
	conn := dial(t)
	var all sync.WaitGroup
	failures := make(chan error, count)
	for n := range [count]int{} {
		all.Add(1)
		go func() {
			defer all.Done()
			failures <- echo(conn, fmt.Sprint(n))
		}()
	}
	all.Wait()
	for range [count]int{} {
		ok(t, <-failures)
	}
}

// echo sends a text through a queue of its own on a channel of its own.
func echo(conn *amqp.Connection, text string) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	queue, err := ch.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		return err
	}
	if err = ch.Publish("", queue.Name, false, false, amqp.Publishing{Body: []byte(text)}); err != nil {
		return err
	}
	deliveries, err := ch.Consume(queue.Name, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	select {
	case delivery := <-deliveries:
		if string(delivery.Body) != text {
			return fmt.Errorf("got %q, want %q", delivery.Body, text)
		}
	case <-time.After(patience):
		return fmt.Errorf("nothing came for %q", text)
	}
	return ch.Close()
}

func TestChannelNumbersAreReused(t *testing.T) {
	t.Parallel()
	conn := dialConfig(t, brokerURL(), amqp.Config{ChannelMax: 3})
	for range [50]int{} {
		ok(t, echo(conn, "again"))
	}
}

func TestSeveralConsumersOnOneConnection(t *testing.T) {
	t.Parallel()
	const queues, each = 20, 50
	_, ch := session(t)
	var names []string
	var inboxes []<-chan amqp.Delivery
	for range [queues]int{} {
		names = append(names, declare(t, ch, nil))
		inboxes = append(inboxes, consume(t, ch, names[len(names)-1], true))
	}
	for n := range [each]int{} {
		for q, name := range names {
			sendText(t, ch, "", name, fmt.Sprint(q, ":", n))
		}
	}
	for q, inbox := range inboxes {
		for n, body := range bodies(t, inbox, each) {
			equal(t, "body", body, fmt.Sprint(q, ":", n))
		}
	}
}

// blocked is sent only under an alarm, which a client cannot raise; here the
// listener must be accepted and stay quiet while publishing goes on.
func TestBlockedListenerStaysQuiet(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	alarms := conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	queue := declare(t, ch, nil)
	ok(t, ch.Confirm(false))
	one := must(ch.PublishWithDeferredConfirm("", queue, false, false, amqp.Publishing{}))(t)
	equal(t, "acknowledged", one.Wait(), true)
	equal(t, "alarms", len(alarms), 0)
}

// A connection killed by the broker takes its exclusive queue along and leaves
// the durable one with everything unacknowledged; a new one carries on.
func TestReconnectAfterTheBrokerClosedTheConnection(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	queue := durable(t, ch, nil)
	fill(t, ch, queue, "a", "b", "c")
	deliveries := consume(t, ch, queue, false)
	ok(t, take(t, "first", deliveries).Ack(false))
	bodies(t, deliveries, 2)
	failures := conn.NotifyClose(make(chan *amqp.Error, 1))
	ok(t, ch.PublishWithContext(context.Background(), "", queue, false, true, amqp.Publishing{}))
	equal(t, "forced", take(t, "close", failures).Code, amqp.NotImplemented)
	closed(t, "deliveries", deliveries)
	_, next := session(t)
	again := consume(t, next, queue, false)
	for _, want := range []string{"b", "c"} {
		delivery := take(t, "redelivery", again)
		equal(t, "order", string(delivery.Body), want)
		equal(t, "redelivered", delivery.Redelivered, true)
		ok(t, delivery.Ack(false))
	}
}

// The socket breaks without a word; the client's own recovery must find its
// exclusive queue, its bindings and its consumer again.
func TestClientRecoversFromABrokenSocket(t *testing.T) {
	t.Parallel()
	var lock sync.Mutex
	var sockets []net.Conn
	conn := dialConfig(t, brokerURL(), amqp.Config{
		Recovery: &amqp.Recovery{},
		Dial: func(network, addr string) (net.Conn, error) {
			socket, err := amqp.DefaultDial(patience)(network, addr)
			if err == nil {
				lock.Lock()
				sockets = append(sockets, socket)
				lock.Unlock()
			}
			return socket, err
		},
	})
	ch := open(t, conn)
	_, watch := session(t)
	queue := durable(t, ch, nil)
	source := exchange(t, watch, "fanout", nil)
	ok(t, ch.QueueBind(queue, "", source, false, nil))
	deliveries := consume(t, ch, queue, false) // what the dying socket swallows comes back
	sendText(t, watch, source, "", "before")
	first := take(t, "delivery", deliveries)
	equal(t, "first life", string(first.Body), "before")
	ok(t, first.Ack(false))

	lock.Lock()
	ok(t, sockets[0].Close())
	lock.Unlock()

	sendText(t, watch, source, "", "after")
	// The acknowledgement may have died with the socket as well.
	second := take(t, "delivery", deliveries)
	if string(second.Body) == "before" && second.Redelivered {
		second = take(t, "delivery", deliveries)
	}
	equal(t, "second life", string(second.Body), "after")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	address := os.Getenv("AMQPS_URL")
	if address == "" {
		t.Skip("not run: AMQPS_URL is not set")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(must(os.ReadFile(os.Getenv("TLS_CA")))(t)) {
		t.Fatal("TLS_CA holds no certificate")
	}
	config := &tls.Config{RootCAs: roots}
	if file := os.Getenv("TLS_CERT"); file != "" {
		pair := must(tls.LoadX509KeyPair(file, os.Getenv("TLS_KEY")))(t)
		config.Certificates = []tls.Certificate{pair}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		exact := config.Clone()
		exact.MinVersion, exact.MaxVersion = version, version
		conn := must(amqp.DialTLS(address, exact))(t)
		equal(t, "version", conn.ConnectionState().Version, version)
		ok(t, echo(conn, strings.Repeat("secret ", 100_000)))
		ok(t, conn.Close())
	}
	_, err := amqp.DialTLS(address, &tls.Config{RootCAs: x509.NewCertPool()})
	if err == nil {
		t.Fatal("an untrusted certificate was accepted")
	}
}
