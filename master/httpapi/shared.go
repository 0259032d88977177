package httpapi

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	"stoa/internal/httpd"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// press makes the large documents. Requests for the same document that come while one
// is being made wait and then share the next, which shows a state that is as new as the
// last of them (the original batches its reads for the same reason, see
// Master::ReadOnlyHandler). So many clients that poll cost hardly more than one, and one
// processor at least is left to the master's loop.
type press struct {
	// slots bounds how many documents are made at a time.
	slots chan struct{}

	mu sync.Mutex
	// waiting are the editions that more requests may join, by what was asked for.
	waiting map[edition]*sheet
}

// edition is what makes two requests ask for the same: the address, and who asks, since
// not everybody may see everything.
type edition struct {
	path, query, authorization string
	gzip                       bool
}

// sheet is one document for all requests that joined it.
type sheet struct {
	done chan struct{}
	err  error
	// plain is the document, compressed its compressed form if that was asked for.
	plain, compressed *[]byte
	// readers are those who still need the buffers, its maker among them.
	readers atomic.Int64
}

func newPress() *press {
	return &press{
		slots:   make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
		waiting: make(map[edition]*sheet),
	}
}

// join returns the sheet of an edition, and whether it has to be made.
func (p *press) join(e edition) (s *sheet, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s = p.waiting[e]; s == nil {
		s, first = &sheet{done: make(chan struct{})}, true
		s.readers.Add(1)
		p.waiting[e] = s
	}
	s.readers.Add(1)
	return s, first
}

// make waits for its turn, closes the edition, and makes the document.
func (p *press) make(e edition, s *sheet, snapshot func(context.Context) (*core.Snapshot, error), encode func(*[]byte, *core.Snapshot)) {
	p.slots <- struct{}{}
	p.mu.Lock()
	delete(p.waiting, e)
	p.mu.Unlock()
	defer func() {
		<-p.slots
		close(s.done)
		s.leave()
	}()
	if s.readers.Load() == 1 {
		s.err = context.Canceled // everybody has gone
		return
	}
	state, err := snapshot(context.Background())
	if err != nil {
		s.err = err
		return
	}
	s.plain = emptyDocument()
	encode(s.plain, state)
	if e.gzip && len(*s.plain) >= httpd.CompressFrom {
		s.compressed = emptyDocument()
		*s.compressed = httpd.Gzip(*s.compressed, *s.plain)
	}
}

// leave gives the buffers back after the last reader.
func (s *sheet) leave() {
	if s.readers.Add(-1) > 0 {
		return
	}
	for _, buf := range []*[]byte{s.plain, s.compressed} {
		if buf != nil {
			keepDocument(buf)
		}
	}
}

// shared answers with a document of the state. encode must not use the request: it may
// be called for another one that asks for the same.
func (s *server) shared(c *gin.Context, encode func(dst *[]byte, snapshot *core.Snapshot)) {
	_, script := httpd.Query(c)["jsonp"]
	e := edition{
		path: c.Request.URL.Path, query: c.Request.URL.RawQuery, authorization: c.GetHeader("Authorization"),
		gzip: !script && httpd.AcceptsGzip(c.Request),
	}
	sheet, first := s.press.join(e)
	defer sheet.leave()
	if first {
		go s.press.make(e, sheet, s.config.Snapshot, encode)
	}
	select {
	case <-sheet.done:
	case <-c.Request.Context().Done():
		return
	}
	switch {
	case sheet.err != nil:
		httpd.Text(c, http.StatusServiceUnavailable, "The master is shutting down")
	case sheet.compressed != nil:
		c.Header("Content-Encoding", "gzip")
		httpd.Bytes(c, http.StatusOK, httpd.TypeJSON, *sheet.compressed)
	default:
		httpd.JSON(c, *sheet.plain)
	}
}
