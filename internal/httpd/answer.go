package httpd

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"
)

// Content types of answers.
const (
	TypeText       = "text/plain; charset=utf-8"
	TypeJSON       = "application/json"
	TypeProtobuf   = "application/x-protobuf"
	TypeJavaScript = "text/javascript"
	TypeHTML       = "text/html"
)

// Bytes answers with a body. Its length is always announced, and it is compressed if it is
// long enough, the client accepts that, and the handler did not set Content-Encoding. An
// empty contentType sends none.
func Bytes(c *gin.Context, status int, contentType string, body []byte) {
	h := c.Writer.Header()
	switch {
	case contentType != "":
		h.Set("Content-Type", contentType)
	case len(body) > 0:
		h["Content-Type"] = nil // or net/http would guess one
	}
	if len(body) >= CompressFrom && h.Get("Content-Encoding") == "" && AcceptsGzip(c.Request) {
		buf := buffers.Get().(*[]byte)
		defer buffers.Put(buf)
		*buf = Gzip((*buf)[:0], body)
		h.Set("Content-Encoding", "gzip")
		body = *buf
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Status(status)
	// An error means that the client is gone.
	if c.Request.Method == http.MethodHead || len(body) == 0 {
		c.Writer.WriteHeaderNow()
		return
	}
	writeSlowly(c, body)
}

// Gzip appends the compressed form of a body, as Bytes sends it, to dst: for a body that
// is sent more than once.
func Gzip(dst, body []byte) []byte {
	buf := bytes.NewBuffer(dst)
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(buf)
	// Writing into memory cannot fail.
	_, _ = z.Write(body)
	_ = z.Close()
	return buf.Bytes()
}

var (
	buffers     = sync.Pool{New: func() any { return new([]byte) }}
	compressors = sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, 6) // the level is valid
		return z
	}}
)

// Empty answers without a body and without a Content-Type.
func Empty(c *gin.Context, status int) { Bytes(c, status, "", nil) }

// Text answers with a text.
func Text(c *gin.Context, status int, text string) { Bytes(c, status, TypeText, []byte(text)) }

// JSON answers 200 with a document, or with a script if the request has the parameter
// jsonp, even an empty one: its value, an opening parenthesis, the document, a closing one.
func JSON(c *gin.Context, document []byte) {
	callback, ok := Query(c)["jsonp"]
	if !ok {
		Bytes(c, http.StatusOK, TypeJSON, document)
		return
	}
	script := make([]byte, 0, len(callback)+len(document)+2)
	script = append(script, callback...)
	script = append(script, '(')
	script = append(script, document...)
	Bytes(c, http.StatusOK, TypeJavaScript, append(script, ')'))
}

// Default answers with the text that the original has for a status, such as
// "404 Not Found.".
func Default(c *gin.Context, status int) {
	Text(c, status, strconv.Itoa(status)+" "+http.StatusText(status)+".")
}

// NotFound answers 404 in the default form.
func NotFound(c *gin.Context) { Default(c, http.StatusNotFound) }

// Allow answers 405 unless the request has one of the methods, and says whether it has.
func Allow(c *gin.Context, methods ...string) bool {
	for _, m := range methods {
		if c.Request.Method == m {
			return true
		}
	}
	c.Writer.Header().Set("Allow", strings.Join(methods, ", "))
	Text(c, http.StatusMethodNotAllowed, "405 Method Not Allowed. Expecting one of { '"+
		strings.Join(methods, "', '")+"' }, but received '"+c.Request.Method+"'.")
	return false
}

// AcceptsGzip reports whether an answer to the request may be compressed: gzip or "*" is
// listed in Accept-Encoding with a weight other than zero.
func AcceptsGzip(r *http.Request) bool {
	return accepts(strings.Join(r.Header.Values("Accept-Encoding"), ","), func(coding string) bool {
		return coding == "*" || strings.EqualFold(coding, "gzip")
	})
}

// AcceptsType reports whether the Accept header allows a media type. No header and an
// empty one allow everything.
func AcceptsType(r *http.Request, mediaType string) bool {
	values := r.Header.Values("Accept")
	list := strings.Join(values, ",")
	if strings.TrimSpace(list) == "" {
		return true
	}
	family, _, _ := strings.Cut(mediaType, "/")
	return accepts(list, func(item string) bool {
		return item == "*/*" || strings.EqualFold(item, family+"/*") || strings.EqualFold(item, mediaType)
	})
}

// accepts looks for the first item of a list with weights that matches, and reports
// whether its weight is not zero.
func accepts(list string, matches func(string) bool) bool {
	for item := range strings.SplitSeq(list, ",") {
		item, parameters, _ := strings.Cut(item, ";")
		if !matches(strings.TrimSpace(item)) {
			continue
		}
		for p := range strings.SplitSeq(parameters, ";") {
			name, value, ok := strings.Cut(p, "=")
			if !ok || strings.TrimSpace(name) != "q" {
				continue
			}
			if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q == 0 {
				return false
			}
		}
		return true
	}
	return false
}
