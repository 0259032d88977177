// Package callback tells the world about events the way releases up to 1.4 did: every
// event is POSTed, as JSON, to every URL that was subscribed.
//
// Comes in: subscriptions, and the events of a bus. Goes out: requests. A receiver that
// is down or slow never holds up anybody else: its events wait in a queue of its own,
// are tried a few times with growing pauses, and are dropped, with a word in the log,
// when there are too many of them.
package callback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"stoa/internal/store"
	"stoa/marathon/event"
	"stoa/marathon/storage"
	"stoa/marathon/timestamp"
)

// Bounds of what clients may ask for.
const (
	// MaxSubscribers is how many URLs may be subscribed.
	MaxSubscribers = 256
	// maxURL is the length of a URL, in bytes.
	maxURL = 2048
)

// ErrTooMany says that MaxSubscribers is reached.
var ErrTooMany = fmt.Errorf("there are %d event subscriptions already; remove one first", MaxSubscribers)

// URLError says what is wrong with a callback URL, in the words of Java's URL class.
type URLError struct{ Message string }

func (e *URLError) Error() string { return e.Message }

// Config is what a Sender needs.
type Config struct {
	// Store keeps the subscriptions.
	Store store.Store
	// Bus has the events, and is told of the subscriptions.
	Bus *event.Bus
	// Logger hears of receivers that do not keep up; nil discards it.
	Logger *slog.Logger
	// Now is the clock of events; nil means time.Now.
	Now func() time.Time
	// Endpoints are URLs to subscribe at the start (--http_endpoints).
	Endpoints []string
	// RequestTimeout bounds one request (--http_event_request_timeout); 0 means 10 s.
	RequestTimeout time.Duration
	// SlowConsumer is the time after which even a good answer counts as a failure
	// (--http_event_callback_slow_consumer_timeout); 0 means 10 s.
	SlowConsumer time.Duration
	// Backoff is half the pause after the first failure; it doubles with every further
	// one, up to a minute. 0 means 1 s, as in the original.
	Backoff time.Duration
	// Outstanding is how many events may wait for one receiver; 0 means 1024.
	Outstanding int
}

// Sender delivers events. Its methods may be called from any goroutine.
type Sender struct {
	cfg     Config
	client  *http.Client
	unwatch func()
	ctx     context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup

	// changing lets one change of the subscriptions be made at a time, its record included.
	changing sync.Mutex
	// mu guards the list against the events that come in meanwhile.
	mu        sync.Mutex
	receivers []*receiver
}

// New reads the subscriptions, adds those of the configuration and begins to deliver.
// The caller closes the Sender.
func New(ctx context.Context, cfg Config) (*Sender, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = 10 * time.Second
	}
	if cfg.SlowConsumer <= 0 {
		cfg.SlowConsumer = 10 * time.Second
	}
	if cfg.Backoff <= 0 {
		cfg.Backoff = time.Second
	}
	if cfg.Outstanding <= 0 {
		cfg.Outstanding = 1024
	}
	urls, err := storage.Subscribers(ctx, cfg.Store)
	if err != nil {
		return nil, err
	}
	s := &Sender{cfg: cfg, client: newClient()}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, callback := range urls {
		s.receivers = append(s.receivers, s.attach(callback))
	}
	s.unwatch = cfg.Bus.Watch(s.deliver)
	for _, callback := range cfg.Endpoints {
		// The original's own name for subscriptions that nobody asked for over HTTP.
		if _, err := s.Subscribe(ctx, "localhost", callback); err != nil {
			s.Close()
			return nil, fmt.Errorf("--http_endpoints: %s: %w", redacted(callback), err)
		}
	}
	return s, nil
}

// Close stops delivering. What waits is lost, as it would be in the original.
func (s *Sender) Close() {
	s.unwatch()
	s.stop()
	s.workers.Wait()
	s.client.CloseIdleConnections()
}

// Subscribers are the subscribed URLs, oldest first.
func (s *Sender) Subscribers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	urls := make([]string, len(s.receivers))
	for i, r := range s.receivers {
		urls[i] = r.url
	}
	return urls
}

// Subscribe adds a URL and gives the JSON of the event that tells of it. It returns when
// the subscription is durable. A URL that is there already stays. Errors are *URLError,
// ErrTooMany and those of the store.
func (s *Sender) Subscribe(ctx context.Context, clientIP, callback string) ([]byte, error) {
	if err := check(callback); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	urls := s.Subscribers()
	if !slices.Contains(urls, callback) {
		if len(urls) >= MaxSubscribers {
			return nil, ErrTooMany
		}
		if err := storage.PutSubscribers(ctx, s.cfg.Store, append(urls, callback)); err != nil {
			return nil, err
		}
		r := s.attach(callback)
		s.mu.Lock()
		s.receivers = append(s.receivers, r)
		s.mu.Unlock()
		s.cfg.Logger.Info("events are sent to a new subscriber", "callback", redacted(callback), "client", clientIP)
	}
	return s.tell(event.Subscribe{ClientIP: clientIP, CallbackURL: callback}), nil
}

// Unsubscribe takes a URL away and gives the JSON of the event that tells of it, whether
// the URL was there or not.
func (s *Sender) Unsubscribe(ctx context.Context, clientIP, callback string) ([]byte, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	urls := s.Subscribers()
	at := slices.Index(urls, callback)
	if at < 0 {
		return s.tell(event.Unsubscribe{ClientIP: clientIP, CallbackURL: callback}), nil
	}
	if err := storage.PutSubscribers(ctx, s.cfg.Store, slices.Delete(urls, at, at+1)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	r := s.receivers[at]
	s.receivers = slices.Delete(s.receivers, at, at+1)
	s.mu.Unlock()
	r.cancel()
	s.cfg.Logger.Info("events are not sent to a subscriber any more", "callback", redacted(callback), "client", clientIP)
	return s.tell(event.Unsubscribe{ClientIP: clientIP, CallbackURL: callback}), nil
}

// tell publishes an event and gives the JSON it was published with.
func (s *Sender) tell(e event.Event) []byte {
	at := timestamp.Of(s.cfg.Now())
	s.cfg.Bus.Publish(e, at)
	return s.cfg.Bus.Encode(e, at)
}

// deliver queues an event for every receiver; it never waits.
func (s *Sender) deliver(e event.Encoded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.receivers {
		r.queue(e)
	}
}

// attach starts the worker of one URL.
func (s *Sender) attach(callback string) *receiver {
	ctx, cancel := context.WithCancel(s.ctx)
	r := &receiver{
		sender: s, url: callback, cancel: cancel, events: make(chan event.Encoded, s.cfg.Outstanding),
		log: s.cfg.Logger.With("callback", redacted(callback)),
	}
	s.workers.Go(func() { r.run(ctx) })
	return r
}

// newClient makes the client of all receivers. Redirects are failures, as in the original.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 1
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// check refuses what is no URL (java.net.URL), and what no event can be POSTed to.
func check(callback string) error {
	if len(callback) > maxURL {
		return &URLError{fmt.Sprintf("longer than %d bytes", maxURL)}
	}
	scheme, _, found := strings.Cut(callback, ":")
	if !found || scheme == "" || strings.ContainsAny(scheme, "/?#") {
		return &URLError{"no protocol: " + callback}
	}
	if lower := strings.ToLower(scheme); lower != "http" && lower != "https" {
		return &URLError{"unknown protocol: " + lower}
	}
	u, err := url.Parse(callback)
	if err != nil {
		// Without the URL, which url.Error repeats.
		var detail *url.Error
		if errors.As(err, &detail) {
			err = detail.Err
		}
		return &URLError{err.Error()}
	}
	if u.Hostname() == "" {
		return &URLError{"no host: " + callback}
	}
	return nil
}

// redacted hides the password of a URL.
func redacted(callback string) string {
	u, err := url.Parse(callback)
	if err != nil {
		return "(unreadable URL)"
	}
	return u.Redacted()
}
