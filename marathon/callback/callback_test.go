package callback_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stoa/internal/store"
	"stoa/marathon/callback"
	"stoa/marathon/event"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is a real HTTP server that notes what it is sent.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

// receive starts a receiver; answer gets the number of the request, from 1.
func receive(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil || request.Method != http.MethodPost || request.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %q %q: %v", request.Method, request.Header.Get("Content-Type"), body, err)
		}
		r.mu.Lock()
		r.bodies = append(r.bodies, string(body))
		n := len(r.bodies)
		r.mu.Unlock()
		if answer != nil {
			answer(n, w, request)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.bodies)
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// log is what the sender tells its operator.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) says(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

type setting struct {
	sender *callback.Sender
	bus    *event.Bus
	log    *log
}

func start(t *testing.T, path string, change func(*callback.Config)) (setting, func()) {
	t.Helper()
	s, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x := setting{bus: event.NewBus(8, func() time.Time { return time.Unix(0, 0) }), log: &log{}}
	cfg := callback.Config{
		Store: s, Bus: x.bus, Logger: slog.New(slog.NewTextHandler(x.log, nil)), Now: func() time.Time { return time.Unix(0, 0) },
		Backoff: time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	x.sender, err = callback.New(t.Context(), cfg)
	if err != nil {
		s.Close()
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		x.sender.Close()
		s.Close()
	})
	t.Cleanup(stop)
	return x, stop
}

func (x setting) subscribe(t *testing.T, url string) string {
	t.Helper()
	told, err := x.sender.Subscribe(t.Context(), "10.1.2.3", url)
	if err != nil {
		t.Fatal(err)
	}
	return string(told)
}

// change publishes an event whose JSON tells them apart.
func (x setting) change(n int) {
	x.bus.Publish(event.GroupChangeFailed{GroupID: "/", Reason: fmt.Sprintf("<%d>", n)}, 0)
}

func reasons(bodies []string) string {
	var text strings.Builder
	for _, body := range bodies {
		if _, after, ok := strings.Cut(body, "<"); ok {
			n, _, _ := strings.Cut(after, ">")
			text.WriteString(n + " ")
		}
	}
	return strings.TrimSpace(text.String())
}

func TestEveryEventIsPostedInOrder(t *testing.T) {
	x, _ := start(t, filepath.Join(t.TempDir(), "db"), nil)
	r := receive(t, nil)
	told := x.subscribe(t, r.URL)
	want := `{"clientIp":"10.1.2.3","callbackUrl":"` + r.URL + `","eventType":"subscribe_event","timestamp":"1970-01-01T00:00:00.000Z"}`
	if told != want {
		t.Errorf("told %s, want %s", told, want)
	}
	for n := range 5 {
		x.change(n)
	}
	until(t, "all have come", func() bool { return len(r.got()) == 6 })
	if got := r.got(); got[0] != want || reasons(got) != "0 1 2 3 4" {
		t.Errorf("got %q", got)
	}
}

func TestSubscriptionsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	r, gone := receive(t, nil), receive(t, nil)
	x, stop := start(t, path, func(c *callback.Config) { c.Endpoints = []string{"http://127.0.0.1:1/configured"} })
	x.subscribe(t, r.URL)
	x.subscribe(t, gone.URL)
	x.subscribe(t, r.URL) // once more is no more
	if _, err := x.sender.Unsubscribe(t.Context(), "10.1.2.3", gone.URL); err != nil {
		t.Fatal(err)
	}
	stop()
	before := len(r.got())
	x, _ = start(t, path, nil)
	if got, want := x.sender.Subscribers(), []string{"http://127.0.0.1:1/configured", r.URL}; !slices.Equal(got, want) {
		t.Errorf("subscribers %q, want %q", got, want)
	}
	x.change(7)
	until(t, "it is told", func() bool { return len(r.got()) > before })
	if got := reasons(r.got()); got != "7" {
		t.Errorf("got %s", got)
	}
}

func TestAFailedEventIsTriedAgain(t *testing.T) {
	x, _ := start(t, filepath.Join(t.TempDir(), "db"), nil)
	r := receive(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 2 || n == 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	x.subscribe(t, r.URL)
	x.change(1)
	x.change(2)
	until(t, "both have come", func() bool { return len(r.got()) == 5 })
	if got := reasons(r.got()); got != "1 1 1 2" {
		t.Errorf("got %s", got)
	}
}

func TestAnEventThatNeverSucceedsIsDroppedAfterThreeAttempts(t *testing.T) {
	x, _ := start(t, filepath.Join(t.TempDir(), "db"), nil)
	r := receive(t, func(_ int, w http.ResponseWriter, request *http.Request) {
		http.Redirect(w, request, "/elsewhere", http.StatusFound)
	})
	x.subscribe(t, r.URL)
	x.change(1)
	until(t, "both were given up", func() bool { return len(r.got()) >= 6 && x.log.says("could not be delivered") })
	if got := reasons(r.got()[:6]); got != "1 1 1" {
		t.Errorf("got %s", got)
	}
}

func TestAReceiverThatHangsIsBoundedAndOthersAreNotHeldUp(t *testing.T) {
	x, stop := start(t, filepath.Join(t.TempDir(), "db"), func(c *callback.Config) {
		c.Outstanding, c.RequestTimeout = 4, time.Minute
	})
	release := make(chan struct{})
	hanging := receive(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	good := receive(t, nil)
	x.subscribe(t, hanging.URL)
	x.subscribe(t, good.URL)
	until(t, "one hangs", func() bool { return len(hanging.got()) == 1 })
	for n := range 20 {
		x.change(n)
		until(t, "the other one has it", func() bool { return len(good.got()) == n+2 })
	}
	until(t, "it is logged", func() bool { return x.log.says("too slow or down") })
	if n := len(hanging.got()); n != 1 {
		t.Errorf("%d requests to the one that hangs", n)
	}
	// Ending does not wait for it either.
	stop()
}

func TestAnAnswerThatDoesNotComeIsAFailure(t *testing.T) {
	x, _ := start(t, filepath.Join(t.TempDir(), "db"), func(c *callback.Config) { c.RequestTimeout = 20 * time.Millisecond })
	r := receive(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 1 {
			<-r.Context().Done()
		}
	})
	x.subscribe(t, r.URL)
	until(t, "it is tried again", func() bool { return len(r.got()) == 2 })
	if got := r.got(); got[0] != got[1] {
		t.Errorf("got %q", got)
	}
}

func TestASlowButGoodAnswerIsLoggedAndNotRepeated(t *testing.T) {
	x, _ := start(t, filepath.Join(t.TempDir(), "db"), func(c *callback.Config) { c.SlowConsumer = time.Nanosecond })
	r := receive(t, nil)
	x.subscribe(t, r.URL)
	x.change(1)
	x.change(2)
	until(t, "all have come", func() bool { return len(r.got()) == 3 })
	until(t, "it is logged", func() bool { return x.log.says("an event subscriber fails") })
	if got := reasons(r.got()); got != "1 2" {
		t.Errorf("got %s", got)
	}
}

func TestURLs(t *testing.T) {
	x, _ := start(t, filepath.Join(t.TempDir(), "db"), nil)
	for url, want := range map[string]string{
		"":                                      "no protocol: ",
		"callback":                              "no protocol: callback",
		"/a:b":                                  "no protocol: /a:b",
		"gopher://h/":                           "unknown protocol: gopher",
		"file:///etc/passwd":                    "unknown protocol: file",
		"http://":                               "no host: http://",
		"http://h:port/":                        `invalid port ":port" after host`,
		"http://h/" + strings.Repeat("a", 3000): "longer than 2048 bytes",
	} {
		_, err := x.sender.Subscribe(t.Context(), "10.1.2.3", url)
		var wrong *callback.URLError
		if !errors.As(err, &wrong) || wrong.Message != want {
			t.Errorf("%.40q: %v, want %s", url, err, want)
		}
	}
}

func TestThereAreOnlySoManySubscribers(t *testing.T) {
	x, _ := start(t, filepath.Join(t.TempDir(), "db"), nil)
	r := receive(t, nil)
	for n := range callback.MaxSubscribers {
		x.subscribe(t, fmt.Sprintf("%s/%d", r.URL, n))
	}
	if _, err := x.sender.Subscribe(t.Context(), "10.1.2.3", r.URL); !errors.Is(err, callback.ErrTooMany) {
		t.Errorf("got %v", err)
	}
}

func TestPasswordsAreNotLogged(t *testing.T) {
	x, _ := start(t, filepath.Join(t.TempDir(), "db"), nil)
	x.subscribe(t, "http://me:secret@127.0.0.1:1/")
	until(t, "it fails", func() bool { return x.log.says("an event subscriber fails") })
	if x.log.says("secret") {
		t.Error("the log has the password")
	}
}
