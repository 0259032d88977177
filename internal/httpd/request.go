package httpd

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"
)

const queryKey = "httpd.query"

// Query returns the parameters of the request's query; see ParseQuery. A query that cannot
// be decoded gives none: the transport has refused such a request before.
func Query(c *gin.Context) map[string]string {
	if v, ok := c.Get(queryKey); ok {
		return v.(map[string]string)
	}
	q, err := ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		q = nil
	}
	c.Set(queryKey, q)
	return q
}

// ParseQuery decodes a query or a form as the original does (http::query::decode): pairs are
// separated by '&' or ';', a plus sign is a space, a key without '=' has the empty value,
// and the last of several equal keys counts. Errors have the original's text.
func ParseQuery(raw string) (map[string]string, error) {
	q := make(map[string]string)
	for pair := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '&' || r == ';' }) {
		key, value, _ := strings.Cut(pair, "=")
		key, err := Unescape(key)
		if err != nil {
			return nil, err
		}
		value, err = Unescape(value)
		if err != nil {
			return nil, err
		}
		if key != "" {
			q[key] = value
		}
	}
	return q, nil
}

// Unescape undoes percent-encoding, with a plus sign for a space. The error has the
// original's text: "Malformed % escape in '<text>': '<escape>'".
func Unescape(s string) (string, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", fmt.Errorf("Malformed %% escape in '%s': '%s'", s, s[i:])
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("Malformed %% escape in '%s': '%s'", s, s[i:i+3])
			}
			out = append(out, byte(n))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), nil
}

// ErrBodyTooLarge says that a request body is over the limit.
var ErrBodyTooLarge = errors.New("request body too large")

var errCompression = errors.New("the body is not gzip")

// Body reads the whole request body, decompressed if its Content-Encoding is gzip, of at
// most max bytes (0 means DefaultMaxBody). When it fails it has answered: 413 for a body that
// is too large, 408 for one of which nothing came for a while, 500 for one that is not the gzip it says, 400 for one that cannot be read.
func Body(c *gin.Context, max int64) ([]byte, bool) {
	if max <= 0 {
		max = DefaultMaxBody
	}
	b, err := readBody(c, max)
	switch {
	case err == nil:
		return b, true
	case errors.Is(err, ErrBodyTooLarge):
		c.Header("Connection", "close")
		Text(c, http.StatusRequestEntityTooLarge, "The request body is larger than "+strconv.FormatInt(max, 10)+" bytes.")
	case errors.Is(err, errCompression):
		Text(c, http.StatusInternalServerError, "failed to decode body")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.Header("Connection", "close")
		Text(c, http.StatusRequestTimeout, "The request body did not come in time.")
	default: // the client is gone or broke the framing
		Text(c, http.StatusBadRequest, "Failed to read the request body: "+err.Error())
	}
	return nil, false
}

func readBody(c *gin.Context, max int64) ([]byte, error) {
	if c.Request.ContentLength > max {
		return nil, ErrBodyTooLarge
	}
	var r io.Reader = http.MaxBytesReader(c.Writer, c.Request.Body, max)
	if c.GetHeader("Content-Encoding") == "gzip" {
		b, err := decompress(r, max)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, tooLarge(err)
	}
	return b, nil
}

func decompress(r io.Reader, max int64) ([]byte, error) {
	z, err := gzip.NewReader(r)
	if err == nil {
		defer z.Close()
		var b []byte
		if b, err = io.ReadAll(io.LimitReader(z, max+1)); err == nil {
			if int64(len(b)) > max {
				return nil, ErrBodyTooLarge
			}
			return b, nil
		}
	}
	if err = tooLarge(err); err != ErrBodyTooLarge {
		err = errCompression
	}
	return nil, err
}

func tooLarge(err error) error {
	if over := new(http.MaxBytesError); errors.As(err, &over) {
		return ErrBodyTooLarge
	}
	return err
}
