package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
)

// forcer stands in for the two management calls that the recovery tests make:
// list connections by name, and close one by force. It relays AMQP frame by
// frame; a forced close is orderly towards the broker (so that exclusive
// queues are gone before the client hears of it) and CONNECTION_FORCED towards
// the client. With it the tests need nothing of a broker but AMQP.
type forcer struct {
	broker string
	lock   sync.Mutex
	relays map[string]*relay
}

type relay struct {
	name           string
	client, broker net.Conn
	closing        atomic.Bool
	towardsBroker  sync.Mutex
}

// start returns the addresses of the AMQP relay and of the HTTP stand-in.
func (f *forcer) start() (amqpAddress, httpAddress string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	f.relays = map[string]*relay{}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go f.serve(client)
		}
	}()
	go func() { _ = http.Serve(web, http.HandlerFunc(f.answer)) }()
	return listener.Addr().String(), web.Addr().String(), nil
}

func (f *forcer) answer(w http.ResponseWriter, r *http.Request) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if r.Method == http.MethodGet {
		type properties struct {
			ConnectionName string `json:"connection_name"`
		}
		type connection struct {
			Name       string     `json:"name"`
			Properties properties `json:"client_properties"`
		}
		list := []connection{}
		for id, one := range f.relays {
			list = append(list, connection{id, properties{one.name}})
		}
		_ = json.NewEncoder(w).Encode(list)
		return
	}
	id, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/api/connections/"))
	one, found := f.relays[id]
	if !found {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	delete(f.relays, id)
	one.force()
	w.WriteHeader(http.StatusNoContent)
}

func (f *forcer) serve(client net.Conn) {
	defer client.Close()
	broker, err := net.Dial("tcp", f.broker)
	if err != nil {
		return
	}
	defer broker.Close()
	one := &relay{client: client, broker: broker}
	id := client.RemoteAddr().String()
	done := make(chan struct{}, 2)
	go func() { one.fromClient(func() { f.add(id, one) }); done <- struct{}{} }()
	go func() { one.fromBroker(); done <- struct{}{} }()
	<-done
	f.lock.Lock()
	delete(f.relays, id)
	f.lock.Unlock()
}

func (f *forcer) add(id string, one *relay) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.relays[id] = one
}

const (
	connectionClass              = 10
	startOk, tuneOpen            = 11, 40
	connectionClose, closeOk     = 50, 51
	frameOverhead, headerLength  = 8, 7
	forcedText                   = "CONNECTION_FORCED - Closed via management plugin"
	connectionForced, normalCode = 320, 200
)

func (r *relay) fromClient(opened func()) {
	header := make([]byte, 8)
	if _, err := io.ReadFull(r.client, header); err != nil {
		return
	}
	if _, err := r.broker.Write(header); err != nil {
		return
	}
	for {
		frame, err := readFrame(r.client)
		if err != nil {
			return
		}
		switch method(frame) {
		case startOk:
			r.name = connectionName(frame)
		case tuneOpen:
			opened()
		case closeOk:
			if r.closing.Load() {
				return
			}
		}
		r.towardsBroker.Lock()
		if !r.closing.Load() {
			_, err = r.broker.Write(frame)
		}
		r.towardsBroker.Unlock()
		if err != nil {
			return
		}
	}
}

func (r *relay) fromBroker() {
	for {
		frame, err := readFrame(r.broker)
		if err != nil {
			return
		}
		if r.closing.Load() {
			if method(frame) != closeOk {
				continue
			}
			frame = closeFrame(connectionForced, forcedText)
			_, _ = r.client.Write(frame)
			_, _ = io.Copy(io.Discard, r.broker)
			// fromClient ends the relay once the client has answered.
			select {}
		}
		if _, err = r.client.Write(frame); err != nil {
			return
		}
	}
}

func (r *relay) force() {
	r.towardsBroker.Lock()
	defer r.towardsBroker.Unlock()
	r.closing.Store(true)
	_, _ = r.broker.Write(closeFrame(normalCode, ""))
}

func readFrame(from io.Reader) ([]byte, error) {
	header := make([]byte, headerLength)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	frame := make([]byte, frameOverhead+int(binary.BigEndian.Uint32(header[3:])))
	copy(frame, header)
	_, err := io.ReadFull(from, frame[headerLength:])
	return frame, err
}

// method is the id of a connection method, 0 for any other frame.
func method(frame []byte) uint16 {
	if frame[0] != 1 || len(frame) < frameOverhead+4 || binary.BigEndian.Uint16(frame[7:]) != connectionClass {
		return 0
	}
	return binary.BigEndian.Uint16(frame[9:])
}

// connectionName finds the client property in a start-ok frame.
func connectionName(frame []byte) string {
	key := []byte("\x0fconnection_nameS")
	at := bytes.Index(frame, key)
	if at < 0 || at+len(key)+4 > len(frame) {
		return ""
	}
	rest := frame[at+len(key):]
	length := int(binary.BigEndian.Uint32(rest))
	if length > len(rest)-4 {
		return ""
	}
	return string(rest[4 : 4+length])
}

func closeFrame(code uint16, text string) []byte {
	payload := binary.BigEndian.AppendUint16(nil, connectionClass)
	payload = binary.BigEndian.AppendUint16(payload, connectionClose)
	payload = binary.BigEndian.AppendUint16(payload, code)
	payload = append(append(payload, byte(len(text))), text...)
	payload = append(payload, 0, 0, 0, 0)
	frame := binary.BigEndian.AppendUint32([]byte{1, 0, 0}, uint32(len(payload)))
	return append(append(frame, payload...), 0xCE)
}
