package libprocess

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

// Message is one message between two processes.
type Message struct {
	// From is who sent it, as the sender says; nothing proves it. It is the zero
	// UPID if the peer's text could not be read.
	From UPID
	// To is the local process it is for.
	To UPID
	// Name is the full name of the protobuf message in Body, for example
	// "mesos.internal.RegisterSlaveMessage". Old peers send bare names like "PING".
	Name string
	// Body belongs to the receiver.
	Body []byte
}

// Actor is a local process. Its methods are called from the transport's goroutines:
// one at a time per peer connection, in the order of that connection, but at the same
// time for different connections. They must return quickly (put the event in a queue),
// since nothing else is read from that peer meanwhile.
type Actor interface {
	// Receive is called for each message to the actor.
	Receive(Message)
	// Exited is called once for a UPID given to Link, when the connection to it
	// failed or was closed, or when that local process ended. To be told again,
	// link again.
	Exited(UPID)
}

// Config is what a Transport needs. Only Listener is required; zero limits get the
// defaults named with them.
type Config struct {
	// Listener accepts both messages and HTTP requests. Run closes it.
	Listener net.Listener
	// Advertise is the address that peers are told (LIBPROCESS_ADVERTISE_IP and
	// _PORT of the original). Zero means the listener's own address, which must then
	// not be 0.0.0.0.
	Advertise netip.AddrPort
	// HTTP serves every request that is not a message; nil answers 404. Its request
	// contexts end when the client goes away.
	HTTP http.Handler
	// Logger gets connection failures (debug) and what deserves an operator's
	// attention (warn); nil logs nothing.
	Logger *slog.Logger
	// RequirePeerAddressMatch refuses messages whose sender claims another IP than
	// the connection comes from (LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH).
	RequirePeerAddressMatch bool

	// MaxMessage is the largest body of an incoming message in bytes; a longer one
	// is answered 413 and its connection closed. Default 128 MiB.
	MaxMessage int
	// MaxHead is the largest request line with headers in bytes; a longer one closes
	// the connection, as in the original. Default 80 KiB, the original's.
	MaxHead int
	// RequestTimeout is how long a peer may be silent in the middle of a request
	// head or a message body, and how long it may leave our answers unread. Default
	// one minute. Between requests there is no limit.
	RequestTimeout time.Duration
	// MaxQueue is how many bytes of messages may wait for one remote address. When
	// they are more the connection is given up as if it had failed. Default 64 MiB;
	// one message may always be queued, whatever its size.
	MaxQueue int
	// MaxLocal is how many messages between local processes may wait; more are
	// dropped and logged. Default 65536.
	MaxLocal int
	// DialTimeout limits one connection attempt. Default 30 seconds.
	DialTimeout time.Duration
}

// Defaults of Config.
const (
	defaultMaxMessage     = 128 << 20
	defaultMaxHead        = 80 << 10
	defaultRequestTimeout = time.Minute
	defaultMaxQueue       = 64 << 20
	defaultMaxLocal       = 1 << 16
	defaultDialTimeout    = 30 * time.Second
)

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.HTTP == nil {
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
		})
	}
	orInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orInt(&c.MaxMessage, defaultMaxMessage)
	orInt(&c.MaxHead, defaultMaxHead)
	orInt(&c.MaxQueue, defaultMaxQueue)
	orInt(&c.MaxLocal, defaultMaxLocal)
	if c.RequestTimeout <= 0 {
		c.RequestTimeout = defaultRequestTimeout
	}
	if c.DialTimeout <= 0 {
		c.DialTimeout = defaultDialTimeout
	}
}

// Transport sends and receives the messages of the local processes. Its methods may
// be called from any goroutine, also from inside an Actor's methods, and never wait for
// the network.
type Transport struct {
	config Config
	addr   netip.AddrPort
	log    *slog.Logger

	// ctx ends when the transport is closed; every goroutine of it watches ctx or
	// a connection that is closed then.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	actors   map[string]Actor
	ids      map[string]int
	peers    map[netip.AddrPort]*peer
	accepted map[net.Conn]struct{}

	local localQueue
	date  dateCache
}

// ErrClosed is what Run returns when the transport was closed already.
var ErrClosed = errors.New("libprocess: transport closed")

// New makes a transport. It may send and link at once, and receives when Run is called.
// A transport that is never run must be closed with Close.
func New(config Config) *Transport {
	config.setDefaults()
	t := &Transport{
		config:   config,
		addr:     config.Advertise,
		log:      config.Logger,
		actors:   make(map[string]Actor),
		ids:      make(map[string]int),
		peers:    make(map[netip.AddrPort]*peer),
		accepted: make(map[net.Conn]struct{}),
	}
	if !t.addr.IsValid() && config.Listener != nil {
		if tcp, ok := config.Listener.Addr().(*net.TCPAddr); ok {
			t.addr = netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap(), uint16(tcp.Port))
		}
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.local.init(t)
	return t
}

// Address is what the UPIDs of local processes carry.
func (t *Transport) Address() netip.AddrPort { return t.addr }

// Run accepts connections until ctx ends, which is no error, or the listener fails.
// It closes the listener, all connections and the transport before it returns.
func (t *Transport) Run(ctx context.Context) error {
	defer t.Close()
	if t.config.Listener == nil {
		return errors.New("libprocess: Config.Listener is missing")
	}
	stop := context.AfterFunc(ctx, t.Close)
	defer stop()
	err := t.serve()
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("libprocess: accept on %s: %w", t.config.Listener.Addr(), err)
}

// Close ends Run, closes the listener and all connections and waits for the
// transport's goroutines. Nothing is delivered afterwards. It must not be called from
// inside an Actor's methods.
func (t *Transport) Close() {
	t.mu.Lock()
	first := !t.closed
	t.closed = true
	var conns []net.Conn
	for c := range t.accepted {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	if first {
		t.cancel()
		if t.config.Listener != nil {
			t.config.Listener.Close()
		}
		for _, c := range conns {
			c.Close()
		}
	}
	t.running.Wait()
}

// goRun starts a goroutine of the transport, unless it is closed.
// t.mu must be held.
func (t *Transport) goRun(f func()) bool {
	if t.closed {
		return false
	}
	t.running.Go(f)
	return true
}

// Spawn makes a local process with an id reachable, and returns its UPID. A process
// that had the id before is replaced.
func (t *Transport) Spawn(id string, a Actor) UPID {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.actors[id] = a
	return t.UPID(id)
}

// UPID is the name of a local process with an id, whether or not it exists.
func (t *Transport) UPID(id string) UPID { return UPID{ID: id, Addr: t.addr} }

// NextID makes ids as the original's generator does: "prefix(1)", "prefix(2)", ...
// counted for each prefix.
func (t *Transport) NextID(prefix string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ids[prefix]++
	return prefix + "(" + strconv.Itoa(t.ids[prefix]) + ")"
}

// Terminate ends a local process: later messages to it are answered 404, its links are
// forgotten, and local processes that linked to it get an exited event.
func (t *Transport) Terminate(id string) {
	t.mu.Lock()
	_, existed := t.actors[id]
	delete(t.actors, id)
	peers := make([]*peer, 0, len(t.peers))
	for _, p := range t.peers {
		peers = append(peers, p)
	}
	t.mu.Unlock()
	for _, p := range peers {
		p.unlink(id)
	}
	t.local.terminated(id, existed)
}

// Send sends a message and returns at once. Messages to one address arrive in the
// order of the calls or, after a connection failure, not at all. A message to the zero
// UPID is dropped. body is copied unless to is a local process, which then owns it.
func (t *Transport) Send(from, to UPID, name string, body []byte) {
	if to.IsZero() {
		t.log.Debug("Dropping a message to nobody", "message", name, "from", from.String())
		return
	}
	if to.Addr == t.addr {
		t.local.send(Message{From: from, To: to, Name: name, Body: body})
		return
	}
	if p := t.peer(to.Addr); p != nil {
		p.send(from, to, name, body)
	}
}

// SendProto sends a protobuf message under its full name. A message that cannot be
// marshalled (a required field is missing) is not sent and logged as an error, because
// the receiver would drop it.
func (t *Transport) SendProto(from, to UPID, m proto.Message) {
	name := string(m.ProtoReflect().Descriptor().FullName())
	body, err := proto.Marshal(m)
	if err != nil {
		t.log.Error("Not sending a message", "message", name, "to", to.String(), "error", err)
		return
	}
	t.Send(from, to, name, body)
}

// Link asks for one Exited(to) to the local process from, when the connection to the
// address of to fails or closes. It sends nothing. Links are to addresses: nothing is
// reported if the address listens but has no such process.
func (t *Transport) Link(from, to UPID) {
	if to.IsZero() {
		return
	}
	if to.Addr == t.addr {
		t.local.link(from.ID, to)
		return
	}
	if p := t.peer(to.Addr); p != nil {
		p.link(from.ID, to)
	}
}

// Relink is Link over a new connection: the old one to that address, if any, is shut
// down without exited events and its queued messages are dropped, but links stay.
// The original's RemoteConnection::RECONNECT, for when a half-open connection is suspected.
func (t *Transport) Relink(from, to UPID) {
	if to.IsZero() || to.Addr == t.addr {
		t.Link(from, to)
		return
	}
	if p := t.peer(to.Addr); p != nil {
		p.relink(from.ID, to)
	}
}

// exited tells the linker, if it still exists.
func (t *Transport) exited(linker string, to UPID) {
	t.mu.Lock()
	a := t.actors[linker]
	t.mu.Unlock()
	if a != nil {
		a.Exited(to)
	}
}

// deliver hands a message to its local process, if that exists.
func (t *Transport) deliver(m Message) bool {
	t.mu.Lock()
	a := t.actors[m.To.ID]
	t.mu.Unlock()
	if a == nil {
		return false
	}
	a.Receive(m)
	return true
}
