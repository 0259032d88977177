package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// shelf serves a document that shows which snapshot it was made of, and lets the test
// hold snapshots back.
func shelf(t *testing.T) (get func(ctx context.Context, header ...string) string, s *server, hold chan struct{}) {
	t.Helper()
	hold = make(chan struct{})
	var mu sync.Mutex
	taken := 0
	s = &server{press: newPress(), config: Config{Snapshot: func(context.Context) (*core.Snapshot, error) {
		mu.Lock()
		taken++
		n := taken
		mu.Unlock()
		<-hold
		return &core.Snapshot{Revision: uint64(n)}, nil
	}}}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/state", func(c *gin.Context) {
		s.shared(c, func(dst *[]byte, snapshot *core.Snapshot) { *dst = strconv.AppendUint(*dst, snapshot.Revision, 10) })
	})
	get = func(ctx context.Context, header ...string) string {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/state", nil)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, r)
		return w.Body.String()
	}
	return get, s, hold
}

// await polls for what other goroutines bring about.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain until " + what)
		}
	}
}

// readers says how many wait for the next sheet of an edition; -1 if there is none.
func (p *press) readersOf(e edition) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.waiting[e]; s != nil {
		return int(s.readers.Load()) - 1
	}
	return -1
}

func TestRequestsShareTheNextDocument(t *testing.T) {
	get, s, hold := shelf(t)
	// Slots are for documents, not for requests.
	s.press.slots = make(chan struct{}, 1)
	answers := make(chan string, 100)
	ask := func() { answers <- get(t.Context()) }
	plain := edition{path: "/state"}
	go ask()
	await(t, "the first document is being made", func() bool { return len(s.press.slots) == 1 && s.press.readersOf(plain) < 0 })
	for range 20 {
		go ask()
	}
	await(t, "all others wait", func() bool { return s.press.readersOf(plain) == 20 })
	close(hold)
	first, second := 0, 0
	for range 21 {
		switch a := <-answers; a {
		case "1":
			first++
		case "2":
			second++
		default:
			t.Errorf("answer %q", a)
		}
	}
	if first != 1 || second != 20 {
		t.Errorf("%d got the first document, %d the second", first, second)
	}
}

func TestDifferentViewersDoNotShare(t *testing.T) {
	get, s, hold := shelf(t)
	s.press.slots = make(chan struct{}, 1)
	s.press.slots <- struct{}{} // nothing is made yet
	var answers sync.Map
	var done sync.WaitGroup
	for _, who := range []string{"", "Basic YTph", "Basic Yjpi"} {
		done.Go(func() { answers.Store(get(t.Context(), "Authorization", who), who) })
	}
	await(t, "three documents are wanted", func() bool {
		s.press.mu.Lock()
		defer s.press.mu.Unlock()
		return len(s.press.waiting) == 3
	})
	<-s.press.slots
	close(hold)
	done.Wait()
	for _, want := range []string{"1", "2", "3"} {
		if _, ok := answers.Load(want); !ok {
			t.Errorf("nobody got document %s", want)
		}
	}
}

func TestDocumentNobodyWaitsForIsNotMade(t *testing.T) {
	get, s, hold := shelf(t)
	s.press.slots = make(chan struct{}, 1)
	s.press.slots <- struct{}{}
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan string)
	go func() { gone <- get(ctx) }()
	await(t, "it waits", func() bool { return s.press.readersOf(edition{path: "/state"}) == 1 })
	leave()
	if a := <-gone; a != "" {
		t.Errorf("answer %q to a client that has gone", a)
	}
	<-s.press.slots
	await(t, "the edition is dropped", func() bool { return s.press.readersOf(edition{path: "/state"}) < 0 && len(s.press.slots) == 0 })
	close(hold)
	if a := get(t.Context()); a != "1" {
		t.Errorf("the first document that was made is %q", a)
	}
}

func TestSharedDocumentIsCompressedOnce(t *testing.T) {
	get, s, hold := shelf(t)
	close(hold)
	if a := get(t.Context(), "Accept-Encoding", "gzip"); a != "1" {
		t.Errorf("a short document is %q", a)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/state", func(c *gin.Context) {
		s.shared(c, func(dst *[]byte, _ *core.Snapshot) { *dst = append(*dst, strings.Repeat("x", 10_000)...) })
	})
	r := httptest.NewRequest(http.MethodGet, "/state", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 1000 {
		t.Errorf("encoding %q, %d bytes", w.Header().Get("Content-Encoding"), w.Body.Len())
	}
}
