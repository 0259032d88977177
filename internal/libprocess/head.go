package libprocess

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// head is a request line with its headers, as far as the transport looks at them.
// The strings are copies; raw is part of the input.
type head struct {
	method string
	target string
	// path is the target without query, fragment and, in absolute form, scheme and
	// authority.
	path      string
	http10    bool
	keepAlive bool
	framing   framing
	// length is the body's length when framing says so.
	length int64

	hasHost     bool
	userAgent   string
	from        string
	hasFrom     bool
	fieldsStart int // offset in raw of the first header line
	fieldsEnd   int // offset in raw of the empty line
}

// framing says how the end of a request body is found.
type framing int

const (
	noBody framing = iota
	byLength
	chunked
)

// Errors of parseHead. The original answers none of these: its HTTP parser gives up and
// the connection is closed.
var (
	errIncomplete  = errors.New("incomplete request head")
	errRequestLine = errors.New("malformed request line")
	errField       = errors.New("malformed header line")
	errLength      = errors.New("malformed or contradicting Content-Length")
	errCoding      = errors.New("unknown Transfer-Encoding")
)

// methods are those of the HTTP parser in the original (http_parser 2.6).
var methods = func() map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(`DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE
		PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH
		NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK`) {
		m[name] = true
	}
	return m
}()

// parseHead reads a request head from the beginning of raw. n is the number of bytes
// it takes. errIncomplete means that more bytes are needed.
func parseHead(raw []byte) (h head, n int, err error) {
	// Empty lines before a request are skipped, as the original does.
	for n < len(raw) && (raw[n] == '\r' || raw[n] == '\n') {
		n++
	}
	line, next, ok := cutLine(raw, n)
	if !ok {
		return h, 0, errIncomplete
	}
	if err := h.parseRequestLine(line); err != nil {
		return h, 0, err
	}
	h.fieldsStart = next
	var connection string
	hasLength := false
	for {
		start := next
		line, next, ok = cutLine(raw, start)
		if !ok {
			return h, 0, errIncomplete
		}
		if len(line) == 0 {
			h.fieldsEnd = start
			break
		}
		name, value, err := cutField(line)
		if err != nil {
			return h, 0, err
		}
		switch {
		case equalFold(name, "User-Agent"):
			h.userAgent = string(value)
		case equalFold(name, "Libprocess-From"):
			h.from, h.hasFrom = string(value), true
		case equalFold(name, "Host"):
			h.hasHost = true
		case equalFold(name, "Connection"):
			connection += "," + string(value)
		case equalFold(name, "Transfer-Encoding"):
			if h.framing == chunked || !equalFold(value, "chunked") {
				return h, 0, errCoding
			}
			h.framing = chunked
		case equalFold(name, "Content-Length"):
			v, err := strconv.ParseUint(string(value), 10, 62)
			if err != nil || value[0] == '+' || (hasLength && int64(v) != h.length) {
				return h, 0, errLength
			}
			hasLength, h.length = true, int64(v)
		}
	}
	if h.framing != chunked && h.length > 0 {
		h.framing = byLength
	}
	h.keepAlive = !h.http10
	for token := range strings.SplitSeq(connection, ",") {
		switch strings.ToLower(strings.TrimSpace(token)) {
		case "close":
			h.keepAlive = false
		case "keep-alive":
			h.keepAlive = true
		}
	}
	return h, next, nil
}

func (h *head) parseRequestLine(line []byte) error {
	method, rest, ok := strings.Cut(string(line), " ")
	if !ok || !methods[method] {
		return errRequestLine
	}
	target, proto, ok := strings.Cut(rest, " ")
	if !ok || target == "" {
		return errRequestLine
	}
	switch proto {
	case "HTTP/1.1":
	case "HTTP/1.0":
		h.http10 = true
	default:
		return errRequestLine
	}
	for i := 0; i < len(target); i++ {
		if target[i] <= ' ' || target[i] == 0x7f {
			return errRequestLine
		}
	}
	h.method, h.target = method, target
	path, query := target, ""
	if i := strings.IndexByte(path, '#'); i >= 0 {
		path = path[:i]
	}
	path, query, _ = strings.Cut(path, "?")
	if scheme, after, ok := strings.Cut(path, "://"); ok && (scheme == "http" || scheme == "https") {
		i := strings.IndexByte(after, '/')
		if i < 0 {
			path = ""
		} else {
			path = after[i:]
		}
	} else if path != "*" && !strings.HasPrefix(path, "/") && method != "CONNECT" {
		return errRequestLine
	}
	// The original decodes the query while it reads the request, and takes a bad
	// escape for a broken connection.
	if badEscape(query) >= 0 {
		return errRequestLine
	}
	h.path = path
	return nil
}

// cutLine returns the line that starts at an offset, without its end, and the offset of
// the next one. Lines end with LF, with or without CR before it.
func cutLine(raw []byte, start int) (line []byte, next int, ok bool) {
	i := bytes.IndexByte(raw[start:], '\n')
	if i < 0 {
		return nil, 0, false
	}
	line = raw[start : start+i]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, start + i + 1, true
}

// cutField splits a header line. White space around the value is taken away. Lines
// that continue the one before are refused, since parsers disagree about them.
func cutField(line []byte) (name, value []byte, err error) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok || len(name) == 0 {
		return nil, nil, errField
	}
	for _, c := range name {
		if !isToken(c) {
			return nil, nil, errField
		}
	}
	for _, c := range value {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return nil, nil, errField
		}
	}
	return name, bytes.Trim(value, " \t"), nil
}

// isToken reports whether a byte may be in a header name (RFC 9110, tchar).
func isToken(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s)
}

// isMessage is the original's test for an incoming message (process.cpp, libprocess()).
func (h *head) isMessage() bool {
	return h.method == "POST" && (h.hasFrom || strings.HasPrefix(h.userAgent, "libprocess/"))
}

// sender is who sent a message: Libprocess-From counts, and User-Agent without it. A text
// that is no UPID with an IPv4 address is given to resolve; what that cannot read either
// is the zero UPID, with which the original goes on too.
func (h *head) sender(resolve func(string) (UPID, error)) UPID {
	text := strings.TrimSpace(h.from)
	if !h.hasFrom {
		text = strings.TrimPrefix(h.userAgent, "libprocess/")
	}
	u, err := Parse(text)
	if errors.Is(err, errHost) {
		u, err = resolve(text)
	}
	if err != nil {
		return UPID{}
	}
	return u
}

// addressee splits the path of a message into the process id, with its escapes decoded,
// and the message name, which is everything after the second slash.
func (h *head) addressee() (id, name string, err error) {
	id, name, _ = strings.Cut(h.path[1:], "/")
	id, err = decode(id)
	return id, name, err
}

// decodeError has the original's text (http.cpp, decode).
type decodeError struct{ text, escape string }

func (e *decodeError) Error() string {
	return "Malformed % escape in '" + e.text + "': '" + e.escape + "'"
}

// decode undoes percent-encoding as the original does: a plus sign is a space, also in
// a path.
func decode(s string) (string, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	if i := badEscape(s); i >= 0 {
		return "", &decodeError{s, s[i:min(i+3, len(s))]}
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			c, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			out = append(out, byte(c))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), nil
}

// badEscape is the offset of the first malformed percent escape, or -1.
func badEscape(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return i
		}
		i += 2
	}
	return -1
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// appendHTTP appends the head in the form that net/http serves as the original would:
// always HTTP/1.1 (the original ignores the version, also for chunked bodies), with a
// Host line, and with the bad escapes of the path taken literally.
func (h *head) appendHTTP(dst, raw []byte) []byte {
	dst = append(dst, h.method...)
	dst = append(dst, ' ')
	rest := h.target
	for i := badEscape(rest); i >= 0; i = badEscape(rest) {
		dst = append(dst, rest[:i]...)
		dst = append(dst, "%25"...)
		rest = rest[i+1:]
	}
	dst = append(dst, rest...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = append(dst, raw[h.fieldsStart:h.fieldsEnd]...)
	if !h.hasHost {
		dst = append(dst, "Host: \r\n"...)
	}
	if h.http10 && !h.keepAlive {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "\r\n"...)
}
