package clients

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// arrived drains a queue once a marker has followed the messages through it,
// so that an absence is proved and not waited for.
func arrived(t *testing.T, ch *amqp.Channel, queue string) string {
	t.Helper()
	var seen []string
	deliveries := consume(t, ch, queue, true)
	sendText(t, ch, "", queue, "end")
	for {
		body := string(take(t, "delivery", deliveries).Body)
		if body == "end" {
			sort.Strings(seen)
			return strings.Join(seen, " ")
		}
		seen = append(seen, body)
	}
}

func TestDefaultExchangeRoutesByQueueName(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue, other := declare(t, ch, nil), declare(t, ch, nil)
	sendText(t, ch, "", queue, "a")
	equal(t, "named queue", arrived(t, ch, queue), "a")
	equal(t, "other queue", arrived(t, ch, other), "")
}

func TestDirectExchangeRoutesByExactKey(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	source := exchange(t, ch, "direct", nil)
	red, both := declare(t, ch, nil), declare(t, ch, nil)
	ok(t, ch.QueueBind(red, "red", source, false, nil))
	ok(t, ch.QueueBind(both, "red", source, false, nil))
	ok(t, ch.QueueBind(both, "blue", source, false, nil))
	for _, key := range []string{"red", "blue", "Red", ""} {
		sendText(t, ch, source, key, "["+key+"]")
	}
	equal(t, "one key", arrived(t, ch, red), "[red]")
	equal(t, "two keys", arrived(t, ch, both), "[blue] [red]")
}

func TestFanoutExchangeCopiesToEveryQueue(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	source := exchange(t, ch, "fanout", nil)
	var queues []string
	for range [5]int{} {
		queue := declare(t, ch, nil)
		ok(t, ch.QueueBind(queue, "ignored", source, false, nil))
		queues = append(queues, queue)
	}
	sendText(t, ch, source, "any.key", "news")
	for _, queue := range queues {
		equal(t, queue, arrived(t, ch, queue), "news")
	}
}

func TestTopicExchangeMatchesWords(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	source := exchange(t, ch, "topic", nil)
	cases := map[string]string{
		"stock.*.nyse":  "stock.ibm.nyse",
		"stock.#":       "stock stock. stock.ibm stock.ibm.nyse",
		"#":             " . a stock stock. stock.ibm stock.ibm.nyse",
		"*":             "a stock",
		"*.*":           ". stock. stock.ibm",
		"#.nyse":        "stock.ibm.nyse",
		"stock.#.nyse":  "stock.ibm.nyse",
		"stock.*.*.#":   "stock.ibm.nyse",
		"stock.ibm.#.#": "stock.ibm stock.ibm.nyse",
		"no.match":      "",
	}
	queues := map[string]string{}
	for pattern := range cases {
		queues[pattern] = declare(t, ch, nil)
		ok(t, ch.QueueBind(queues[pattern], pattern, source, false, nil))
	}
	for _, key := range []string{"", "a", ".", "stock", "stock.", "stock.ibm", "stock.ibm.nyse"} {
		sendText(t, ch, source, key, key)
	}
	for pattern, want := range cases {
		equal(t, fmt.Sprintf("pattern %q", pattern), arrived(t, ch, queues[pattern]), want)
	}
}

func TestHeadersExchangeMatchesAllAndAny(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	source := exchange(t, ch, "headers", nil)
	bind := func(args amqp.Table) string {
		queue := declare(t, ch, nil)
		ok(t, ch.QueueBind(queue, "", source, false, args))
		return queue
	}
	all := bind(amqp.Table{"x-match": "all", "kind": "pdf", "pages": int32(3)})
	some := bind(amqp.Table{"x-match": "any", "kind": "pdf", "pages": int32(3)})
	plain := bind(amqp.Table{"kind": "pdf"})
	presence := bind(amqp.Table{"kind": nil})
	for name, headers := range map[string]amqp.Table{
		"both":  {"kind": "pdf", "pages": int64(3), "extra": true},
		"kind":  {"kind": "pdf"},
		"pages": {"kind": "odt", "pages": int16(3)},
		"none":  {"other": "pdf"},
		"empty": nil,
	} {
		send(t, ch, source, "", amqp.Publishing{Headers: headers, Body: []byte(name)})
	}
	equal(t, "all", arrived(t, ch, all), "both")
	equal(t, "any", arrived(t, ch, some), "both kind pages")
	equal(t, "default is all", arrived(t, ch, plain), "both kind")
	equal(t, "void is presence", arrived(t, ch, presence), "both kind pages")
}

func TestOneCopyPerQueueWhateverMatches(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	source := exchange(t, ch, "topic", nil)
	queue := declare(t, ch, nil)
	for _, pattern := range []string{"#", "a.*", "*.b", "a.b"} {
		ok(t, ch.QueueBind(queue, pattern, source, false, nil))
	}
	sendText(t, ch, source, "a.b", "once")
	equal(t, "copies", arrived(t, ch, queue), "once")
}

func TestExchangesBindToExchanges(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	source, middle := exchange(t, ch, "topic", nil), exchange(t, ch, "fanout", nil)
	queue := declare(t, ch, nil)
	ok(t, ch.ExchangeBind(middle, "log.#", source, false, nil))
	ok(t, ch.QueueBind(queue, "", middle, false, nil))
	sendText(t, ch, source, "log.error", "seen")
	sendText(t, ch, source, "metric.cpu", "unseen")
	ok(t, ch.ExchangeUnbind(middle, "log.#", source, false, nil))
	sendText(t, ch, source, "log.error", "late")
	equal(t, "through two exchanges", arrived(t, ch, queue), "seen")
}

func TestAlternateExchangeTakesTheUnroutable(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	spare := exchange(t, ch, "fanout", nil)
	source := exchange(t, ch, "direct", amqp.Table{"alternate-exchange": spare})
	wanted, rest := declare(t, ch, nil), declare(t, ch, nil)
	ok(t, ch.QueueBind(wanted, "known", source, false, nil))
	ok(t, ch.QueueBind(rest, "", spare, false, nil))
	sendText(t, ch, source, "known", "k")
	sendText(t, ch, source, "strange", "s")
	equal(t, "bound", arrived(t, ch, wanted), "k")
	equal(t, "alternate", arrived(t, ch, rest), "s")
}

func TestUnbindStopsTheFlow(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	source := exchange(t, ch, "direct", nil)
	queue := declare(t, ch, nil)
	ok(t, ch.QueueBind(queue, "k", source, false, nil))
	sendText(t, ch, source, "k", "before")
	ok(t, ch.QueueUnbind(queue, "k", source, nil))
	ok(t, ch.QueueUnbind(queue, "k", source, nil)) // a missing binding is no error
	sendText(t, ch, source, "k", "after")
	equal(t, "bound time", arrived(t, ch, queue), "before")
}

func TestCarbonCopiesReachOtherKeys(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	source := exchange(t, ch, "direct", nil)
	first, copied, hidden := declare(t, ch, nil), declare(t, ch, nil), declare(t, ch, nil)
	for queue, key := range map[string]string{first: "to", copied: "cc", hidden: "bcc"} {
		ok(t, ch.QueueBind(queue, key, source, false, nil))
	}
	send(t, ch, source, "to", amqp.Publishing{
		Headers: amqp.Table{"CC": []any{"cc"}, "BCC": []any{"bcc"}}, Body: []byte("m"),
	})
	for _, queue := range []string{first, copied, hidden} {
		delivery := take(t, queue, consume(t, ch, queue, true))
		_, keepsCC := delivery.Headers["CC"]
		_, keepsBCC := delivery.Headers["BCC"]
		equal(t, "CC kept", keepsCC, true)
		equal(t, "BCC removed", keepsBCC, false)
	}
}

func TestPredeclaredExchangesExist(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	for name, kind := range map[string]string{
		"amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic",
		"amq.headers": "headers", "amq.match": "headers",
	} {
		ok(t, ch.ExchangeDeclarePassive(name, kind, true, false, false, false, nil))
	}
}

func TestAutoDeleteExchangeGoesWithItsLastBinding(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	name := unique(t, "x")
	ok(t, ch.ExchangeDeclare(name, "fanout", false, true, false, false, nil))
	queue := declare(t, ch, nil)
	ok(t, ch.QueueBind(queue, "", name, false, nil))
	ok(t, ch.QueueUnbind(queue, "", name, nil))
	err := open(t, conn).ExchangeDeclarePassive(name, "fanout", false, true, false, false, nil)
	fails(t, err, amqp.NotFound, fmt.Sprintf("NOT_FOUND - no exchange '%s' in vhost '/'", name))
}
