package clients

import (
	"bytes"
	"crypto/sha256"
	"math/rand"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestHeaderTypesRoundTrip(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	sent := amqp.Table{
		"nil": nil, "true": true, "false": false,
		"int8": int8(-8), "uint8": uint8(200), "int16": int16(-1600), "int32": int32(-320000),
		"int64": int64(-1 << 62), "float32": float32(1.5), "float64": float64(-2.25),
		"decimal": amqp.Decimal{Scale: 2, Value: 31415}, "string": "héllo \u0000 wörld",
		"empty": "", "bytes": []byte{0, 1, 2, 255}, "time": time.Unix(1_700_000_000, 0),
		"array": []any{int32(1), "two", []any{true, nil}, amqp.Table{"deep": int64(3)}},
		"table": amqp.Table{"inner": amqp.Table{"innermost": "x"}, "none": amqp.Table{}},
	}
	send(t, ch, "", queue, amqp.Publishing{Headers: sent, Body: []byte("h")})
	got := take(t, "delivery", consume(t, ch, queue, true)).Headers
	equal(t, "number of headers", len(got), len(sent))
	for key, want := range sent {
		if moment, isTime := want.(time.Time); isTime {
			equal(t, key, moment.Equal(got[key].(time.Time)), true)
		} else if !reflect.DeepEqual(got[key], want) {
			t.Errorf("%s: got %#v, want %#v", key, got[key], want)
		}
	}
}

func TestEveryPropertyRoundTrips(t *testing.T) {
	t.Parallel()
	_, ch := session(t)
	queue := declare(t, ch, nil)
	sent := amqp.Publishing{
		ContentType: "application/json", ContentEncoding: "gzip", DeliveryMode: amqp.Persistent,
		Priority: 7, CorrelationId: "corr", ReplyTo: "reply", Expiration: "600000",
		MessageId: "id", Timestamp: time.Unix(1_600_000_000, 0), Type: "kind", UserId: "guest",
		AppId: "app", Body: []byte("{}"),
	}
	send(t, ch, "", queue, sent)
	got := take(t, "delivery", consume(t, ch, queue, true))
	equal(t, "timestamp", got.Timestamp.Equal(sent.Timestamp), true)
	for name, pair := range map[string][2]any{
		"content type": {got.ContentType, sent.ContentType}, "encoding": {got.ContentEncoding, sent.ContentEncoding},
		"mode": {got.DeliveryMode, sent.DeliveryMode}, "priority": {got.Priority, sent.Priority},
		"correlation": {got.CorrelationId, sent.CorrelationId}, "reply": {got.ReplyTo, sent.ReplyTo},
		"expiration": {got.Expiration, sent.Expiration}, "message id": {got.MessageId, sent.MessageId},
		"type": {got.Type, sent.Type}, "user": {got.UserId, sent.UserId}, "app": {got.AppId, sent.AppId},
		"body": {string(got.Body), string(sent.Body)}, "exchange": {got.Exchange, ""}, "key": {got.RoutingKey, queue},
	} {
		equal(t, name, pair[0], pair[1])
	}
}

func TestBodiesOfEverySize(t *testing.T) {
	t.Parallel()
	conn, ch := session(t)
	queue := declare(t, ch, nil)
	frame := conn.Config.FrameSize
	deliveries := consume(t, ch, queue, true)
	source := rand.New(rand.NewSource(1))
	for _, size := range []int{0, 1, frame - 9, frame - 8, frame - 7, frame, 2*frame - 16, 1 << 20, 8 << 20} {
		body := make([]byte, size)
		source.Read(body)
		want := sha256.Sum256(body)
		send(t, ch, "", queue, amqp.Publishing{Body: body})
		got := take(t, "delivery", deliveries).Body
		equal(t, "size", len(got), size)
		if sum := sha256.Sum256(got); !bytes.Equal(sum[:], want[:]) {
			t.Fatalf("body of %d bytes changed", size)
		}
	}
}

func TestSmallFramesAreRespected(t *testing.T) {
	t.Parallel()
	conn := dialConfig(t, brokerURL(), amqp.Config{FrameSize: 4096})
	equal(t, "negotiated", conn.Config.FrameSize, 4096)
	ch := open(t, conn)
	queue := declare(t, ch, nil)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	send(t, ch, "", queue, amqp.Publishing{Body: body})
	equal(t, "intact", bytes.Equal(take(t, "delivery", consume(t, ch, queue, true)).Body, body), true)
}
