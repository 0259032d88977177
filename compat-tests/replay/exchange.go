package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"stoa/compat-tests/match"
)

// maxBody is the largest body that is read.
const maxBody = 256 << 20

// build makes the HTTP request with exactly the headers of the vector.
func (r *Request) build(ctx context.Context, base string, vars match.Vars) (*http.Request, error) {
	expand := func(source string) (string, error) {
		text, err := match.ParseText(source)
		if err != nil {
			return "", err
		}
		return text.Expand(vars)
	}
	path, err := expand(r.Path)
	if err != nil {
		return nil, err
	}
	var body []byte
	switch {
	case r.Body != nil:
		text, err := expand(*r.Body)
		if err != nil {
			return nil, err
		}
		body = []byte(text)
	case r.JSON != nil:
		var compact bytes.Buffer
		if err := json.Compact(&compact, r.JSON); err != nil {
			return nil, err
		}
		text, err := expand(compact.String())
		if err != nil {
			return nil, err
		}
		body = []byte(text)
	case r.Hex != "":
		if body, err = hex.DecodeString(r.Hex); err != nil {
			return nil, err
		}
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, base, reader)
	if err != nil {
		return nil, err
	}
	// The path goes out as it is written: "//" and odd escapes included.
	request.URL.Opaque = path
	if strings.HasPrefix(path, "//") {
		request.URL.Opaque = "//" + request.URL.Host + path
	}
	request.Header["User-Agent"] = []string{""} // none, unless the vector has one
	for _, h := range r.Headers {
		value, err := expand(h.Value)
		if err != nil {
			return nil, err
		}
		switch {
		case strings.EqualFold(h.Name, "Host"):
			request.Host = value
		case strings.EqualFold(h.Name, "User-Agent"):
			request.Header.Set(h.Name, value)
		default:
			request.Header[h.Name] = append(request.Header[h.Name], value)
		}
	}
	return request, nil
}

// head compares status and headers.
func (e *Expect) head(response *http.Response, vars match.Vars) []string {
	var problems []string
	if e.Status != 0 && response.StatusCode != e.Status {
		problems = append(problems, fmt.Sprintf("status: want %d, got %d", e.Status, response.StatusCode))
	}
	for _, name := range slices.Sorted(maps.Keys(e.headers)) {
		values := response.Header.Values(name)
		if strings.EqualFold(name, "Transfer-Encoding") {
			values = response.TransferEncoding // net/http keeps it apart
		}
		pattern := e.headers[name]
		switch {
		case pattern == nil && len(values) > 0:
			problems = append(problems, fmt.Sprintf("header %s: want none, got %q", name, values))
		case pattern == nil:
		case len(values) == 0:
			problems = append(problems, fmt.Sprintf("header %s: want %q, got none", name, *e.Headers[name]))
		default:
			if err := pattern.Match(strings.Join(values, ", "), vars); err != nil {
				problems = append(problems, fmt.Sprintf("header %s: %v", name, err))
			}
		}
	}
	return problems
}

// content compares the body.
func (e *Expect) content(body []byte, vars match.Vars) []string {
	switch {
	case e.body != nil:
		if err := e.body.Match(string(body), vars); err != nil {
			return []string{"body: " + err.Error()}
		}
	case e.json != nil:
		answer, err := match.Parse(string(body))
		if err != nil {
			return []string{"body: " + err.Error()}
		}
		return texts(e.json.Match(answer, vars))
	case e.Hex != nil:
		if !bytes.Equal(e.hex, body) {
			return []string{fmt.Sprintf("body: want %x, got %x", e.hex, body)}
		}
	}
	return nil
}

func texts(differences []match.Difference) []string {
	var out []string
	for _, d := range differences {
		out = append(out, d.String())
	}
	return out
}

// readBody reads all of a body and unpacks gzip.
func readBody(response *http.Response) ([]byte, error) {
	var reader io.Reader = response.Body
	if response.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(reader)
		if err != nil {
			return nil, err
		}
		reader = unpacked
	}
	body, err := io.ReadAll(io.LimitReader(reader, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("more than %d bytes", maxBody)
	}
	return body, err
}

func shortBody(body []byte) string {
	const most = 4000
	if len(body) > most {
		return fmt.Sprintf("%s… (%d bytes)", body[:most], len(body))
	}
	return string(body)
}
