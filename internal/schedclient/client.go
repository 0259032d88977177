// Package schedclient is a scheduler's side of the Mesos v1 scheduler HTTP API: it finds the leading master, subscribes, hands
// the events of the stream to a Handler one by one, and sends calls.
//
// In: the addresses of masters, a FrameworkInfo, calls. Out: events, in order, from one goroutine. It keeps the stream alive
// (heartbeats, re-subscription with backoff, redirects to a new leader) and decides nothing about offers or tasks.
package schedclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
)

// Config says where the masters are and who subscribes.
type Config struct {
	// Masters are tried in turn until one answers as, or redirects to, the leader: "host:port" or an http or https URL without
	// a path. At least one.
	Masters []string

	// Framework is sent with SUBSCRIBE. Its id is filled in by the client; set it to take up an earlier framework again.
	Framework *mesospb.FrameworkInfo

	// SuppressedRoles are roles that get no offers from the start.
	SuppressedRoles []string

	// Credential authenticates every request (HTTP basic). Nil: none.
	Credential *Credential

	// Logger gets one line per change of the connection. Nil: slog.Default().
	Logger *slog.Logger

	// Dial opens connections to masters. Nil: TCP with a timeout of 10 s.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// TLS is for masters given as https URLs. Nil: the defaults of the system.
	TLS *tls.Config

	// MinBackoff and MaxBackoff bound the pause after all masters failed; it doubles from one to the other, with jitter.
	// Zero: 100 ms and 10 s.
	MinBackoff, MaxBackoff time.Duration

	// AnswerTimeout is how long a master may take to answer a call, or to open the stream. Zero: 30 s.
	AnswerTimeout time.Duration

	// MaxRecord is the size of the biggest event accepted, in bytes. Zero: 64 MiB.
	MaxRecord int
}

// Credential is a principal with its secret. A secret with a colon never authenticates at an original master.
type Credential struct {
	Principal, Secret string
}

// Handler gets what the stream brings. Its methods are called from the goroutine of Run, one at a time, in this order: Connected,
// Subscribed, any number of Event, Disconnected; then again from the start. They may use Call. While one runs, nothing is read.
type Handler interface {
	// Connected: a master has opened the stream. The URL is that of the master, "http://10.0.0.1:5050".
	Connected(masterURL string)
	// Subscribed: the framework is known to the master and calls are possible.
	Subscribed(*schedulerpb.Event_Subscribed)
	// Event gets every event but SUBSCRIBED, HEARTBEAT and ERROR.
	Event(*schedulerpb.Event)
	// Disconnected: the stream has ended; calls fail until the next Subscribed. The client connects again by itself unless the
	// error is a *FrameworkError or the context has ended.
	Disconnected(error)
}

// Client is one framework's connection to the masters.
type Client struct {
	cfg  Config
	log  *slog.Logger
	http *http.Client

	// current is the open subscription, nil without one.
	current atomic.Pointer[session]
	// turn holds a token while an ordered call is under way: such calls reach the master in the order in which they were made.
	turn chan struct{}

	mu         sync.Mutex // guards what the next SUBSCRIBE says
	framework  *mesospb.FrameworkInfo
	suppressed []string
}

// New prepares a client; nothing is connected before Run, which also reports mistakes in the Config.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg, log: cfg.Logger, turn: make(chan struct{}, 1)}
	if c.log == nil {
		c.log = slog.Default()
	}
	if cfg.MinBackoff <= 0 {
		c.cfg.MinBackoff = 100 * time.Millisecond
	}
	if cfg.MaxBackoff <= 0 {
		c.cfg.MaxBackoff = 10 * time.Second
	}
	c.cfg.MaxBackoff = max(c.cfg.MinBackoff, c.cfg.MaxBackoff)
	if cfg.AnswerTimeout <= 0 {
		c.cfg.AnswerTimeout = 30 * time.Second
	}
	if cfg.MaxRecord <= 0 {
		c.cfg.MaxRecord = 64 << 20
	}
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext:         dial,
			TLSClientConfig:     cfg.TLS,
			TLSHandshakeTimeout: 10 * time.Second,
			DisableCompression:  true,
			// Ordered calls go over one kept connection beside the stream's, acknowledgements over a few more.
			MaxIdleConnsPerHost: 8,
			IdleConnTimeout:     time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.SetFramework(cfg.Framework, cfg.SuppressedRoles)
	return c
}

// SetFramework changes what the next SUBSCRIBE says. It keeps the framework id that is known unless info has one. For a change
// without a new subscription send UPDATE_FRAMEWORK too.
func (c *Client) SetFramework(info *mesospb.FrameworkInfo, suppressedRoles []string) {
	next := &mesospb.FrameworkInfo{}
	if info != nil {
		next = proto.CloneOf(info)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if next.Id == nil && c.framework != nil {
		next.Id = c.framework.Id
	}
	c.framework, c.suppressed = next, slices.Clone(suppressedRoles)
}

// SetFrameworkID sets the id to subscribe with; "" makes the master give out a new one.
func (c *Client) SetFrameworkID(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A new message, because a subscription that is being written may hold the present one.
	c.framework = proto.CloneOf(c.framework)
	c.framework.Id = nil
	if id != "" {
		c.framework.Id = &mesospb.FrameworkID{Value: proto.String(id)}
	}
}

// FrameworkID is the id that was set or that the master has given out; "" if there is none yet.
func (c *Client) FrameworkID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framework.GetId().GetValue()
}

// check finds mistakes that no retry mends and returns the URLs of the masters.
func (c *Client) check() (masters []string, err error) {
	if len(c.cfg.Masters) == 0 {
		return nil, errors.New("no master given: name at least one as host:port")
	}
	for _, m := range c.cfg.Masters {
		url, err := masterURL(m)
		if err != nil {
			return nil, err
		}
		masters = append(masters, url)
	}
	if _, err := c.subscribeCall(); err != nil {
		return nil, fmt.Errorf("the FrameworkInfo is not complete: %w", err)
	}
	return masters, nil
}

// Run keeps the framework subscribed until ctx ends, then returns ctx's error, or until a master sends an ERROR event, which
// ends the framework's session for good, then returns a *FrameworkError. Any other error is a mistake in the Config, found
// before anything is connected. Only one Run at a time.
func (c *Client) Run(ctx context.Context, h Handler) error {
	masters, err := c.check()
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	wait := backoff{min: c.cfg.MinBackoff, max: c.cfg.MaxBackoff}
	for next, failed := 0, 0; ; {
		master := hostURL(masters[next])
		start := time.Now()
		subscribed, err := c.subscribe(ctx, masters[next], h)
		var final *FrameworkError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &final):
			c.log.Error("the master has ended the framework", "master", master, "error", err)
			return err
		}
		if subscribed {
			// The master may only have restarted: try the same one again first, soon.
			failed = 0
			wait.lasted(time.Since(start))
		} else {
			next = (next + 1) % len(masters)
			failed++
		}
		pause := time.Duration(0)
		if subscribed || failed%len(masters) == 0 {
			pause = wait.next()
		}
		c.log.Warn("not subscribed to a master", "master", master, "error", err, "next_try_in", pause)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}
