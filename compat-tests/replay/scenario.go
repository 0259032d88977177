package replay

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"stoa/compat-tests/match"
)

// Scenario is one vector file: steps done in order against one or more servers.
// The file format is described in compat-tests/README.md.
type Scenario struct {
	// Path of the file, for messages.
	Path string `json:"-"`
	// Name says in a few words what is shown.
	Name string `json:"name"`
	// About says where the facts come from and what is worth knowing.
	About string `json:"about"`
	// Server is the name of the server that steps without one speak to.
	Server string `json:"server"`
	// Needs lists what must be there besides the servers, such as "agent". A
	// scenario whose needs are not met is skipped.
	Needs []string `json:"needs"`
	// Vars are values of names, for requests and patterns. Those of the command
	// line come first.
	Vars map[string]string `json:"vars"`
	// Steps are done in order.
	Steps []*Step `json:"steps"`
}

// Step is one request with what must come back, or one action on an open stream.
type Step struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// Server is the name of the server to ask.
	Server string `json:"server"`
	// Request is what to send. Without it the step reads on from Stream.
	Request *Request `json:"request"`
	// Expect is what must come back.
	Expect *Expect `json:"expect"`
	// Within is for how many seconds to repeat the request until all of Expect
	// matches, or how long to wait for the records of a stream.
	Within float64 `json:"within"`
	// Stream names a response that stays open: the step that has a Request opens it,
	// later ones read on.
	Stream string `json:"stream"`
	// Framing is how a stream is cut into records: "recordio" (the default) or
	// "sse", whose records are {"event":…,"data":…}.
	Framing string `json:"framing"`
	// Close ends the stream of this name from our side.
	Close string `json:"close"`
}

// Request is what a step sends. Only {{$name}} may stand in its texts.
type Request struct {
	Method  string  `json:"method"`
	Path    string  `json:"path"`
	Headers Headers `json:"headers"`
	// Body is sent as it is; JSON without the white space between its tokens; Hex as bytes.
	Body *string         `json:"body"`
	JSON json.RawMessage `json:"json"`
	Hex  string          `json:"hex"`
}

// Expect is what must come back. What is left out is not checked.
type Expect struct {
	Status int `json:"status"`
	// Headers are patterns by name; null says that there is no such header.
	Headers map[string]*string `json:"headers"`
	// Body is a text pattern, JSON a JSON pattern, Hex exact bytes.
	Body *string         `json:"body"`
	JSON json.RawMessage `json:"json"`
	Hex  *string         `json:"hex"`
	// Unordered, Subset and Optional are the rules of JSON, or of Records, where
	// "$[0]" is the first record.
	Unordered []string `json:"unordered"`
	Subset    []string `json:"subset"`
	Optional  []string `json:"optional"`
	// Records are JSON patterns for the next records of a stream.
	Records json.RawMessage `json:"records"`
	// Ignore are JSON patterns of records that may come in between.
	Ignore []json.RawMessage `json:"ignore"`
	// End says that nothing follows: the server ends the stream.
	End bool `json:"end"`

	headers map[string]*match.Text
	body    *match.Text
	json    *match.JSON
	hex     []byte
	records *match.JSON // a list
	count   int
	ignore  []*match.JSON
}

// Headers are request headers in the order they are sent. In a file they are an
// object, or a list of [name, value] for names that repeat.
type Headers []Header

// Header is one line of a request's head.
type Header struct{ Name, Value string }

// UnmarshalJSON reads both forms.
func (h *Headers) UnmarshalJSON(data []byte) error {
	node, err := match.Parse(string(data))
	if err != nil {
		return err
	}
	text := func(n *match.Node) (s string, err error) {
		err = json.Unmarshal([]byte(n.String()), &s)
		return s, err
	}
	for i, item := range node.Items {
		pair := []*match.Node{{Kind: match.String}, item}
		if node.Kind == match.Object {
			pair[0].Text = node.Keys[i]
		} else if pair = item.Items; item.Kind != match.Array || len(pair) != 2 {
			return errors.New("headers are an object or a list of [name, value]")
		}
		name, err := text(pair[0])
		if err != nil {
			return err
		}
		value, err := text(pair[1])
		if err != nil {
			return err
		}
		*h = append(*h, Header{name, value})
	}
	return nil
}

// maxFile is the largest vector file.
const maxFile = 16 << 20

// Load reads and checks a vector file.
func Load(path string) (*Scenario, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	s, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.Path = path
	return s, nil
}

// Parse reads and checks the text of a vector file.
func Parse(data []byte) (*Scenario, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	s := new(Scenario)
	if err := decoder.Decode(s); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the scenario")
	}
	if len(s.Steps) == 0 {
		return nil, errors.New("no steps")
	}
	for i, step := range s.Steps {
		if step == nil {
			return nil, fmt.Errorf("step %d is null", i+1)
		}
		if step.Server == "" {
			step.Server = s.Server
		}
		if err := step.check(); err != nil {
			return nil, fmt.Errorf("step %d (%s): %w", i+1, step.title(), err)
		}
	}
	return s, nil
}

// title is the step's name, or what it asks.
func (s *Step) title() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Request != nil:
		return s.Request.Method + " " + s.Request.Path
	case s.Stream != "":
		return "read on from " + s.Stream
	}
	return "close " + s.Close
}

func (s *Step) check() error {
	switch {
	case s.Request == nil && s.Stream == "" && s.Close == "":
		return errors.New("neither request nor stream nor close")
	case s.Close != "" && (s.Request != nil || s.Expect != nil || s.Stream != ""):
		return errors.New("a step that closes a stream does nothing else")
	case s.Close == "" && s.Expect == nil:
		return errors.New("no expect")
	case s.Request != nil && s.Server == "":
		return errors.New("no server")
	case s.Framing != "" && s.Framing != "recordio" && s.Framing != "sse":
		return fmt.Errorf("no such framing: %q", s.Framing)
	case s.Within < 0:
		return errors.New("within is negative")
	}
	if s.Request != nil {
		if err := s.Request.check(); err != nil {
			return err
		}
	}
	if s.Expect == nil {
		return nil
	}
	e := s.Expect
	reads := e.Records != nil || e.End
	switch {
	case reads && s.Stream == "":
		return errors.New("records and end are for streams")
	case s.Stream != "" && (e.Body != nil || e.JSON != nil || e.Hex != nil):
		return errors.New("a stream has records, no body")
	case s.Request == nil && (e.Status != 0 || len(e.Headers) > 0):
		return errors.New("status and headers come with a request")
	case s.Request == nil && !reads:
		return errors.New("nothing to read")
	}
	return e.compile()
}

func (r *Request) check() error {
	if r.Method == "" || r.Path == "" || r.Path[0] != '/' {
		return errors.New("a request has a method and a path that begins with /")
	}
	bodies := 0
	texts := []string{r.Path}
	if r.Body != nil {
		bodies++
		texts = append(texts, *r.Body)
	}
	if r.JSON != nil {
		bodies++
		texts = append(texts, string(r.JSON))
	}
	if r.Hex != "" {
		bodies++
		if _, err := hex.DecodeString(r.Hex); err != nil {
			return err
		}
	}
	if bodies > 1 {
		return errors.New("only one of body, json and hex can be sent")
	}
	for _, h := range r.Headers {
		texts = append(texts, h.Value)
	}
	for _, text := range texts {
		if _, err := match.ParseText(text); err != nil {
			return err
		}
	}
	return nil
}

// compile reads the patterns.
func (e *Expect) compile() error {
	bodies := 0
	e.headers = make(map[string]*match.Text)
	for name, pattern := range e.Headers {
		if pattern == nil {
			e.headers[name] = nil
			continue
		}
		text, err := match.ParseText(*pattern)
		if err != nil {
			return err
		}
		e.headers[name] = text
	}
	var err error
	if e.Body != nil {
		bodies++
		if e.body, err = match.ParseText(*e.Body); err != nil {
			return err
		}
	}
	rules := match.Rules{Unordered: e.Unordered, Subset: e.Subset, Optional: e.Optional}
	if e.JSON != nil {
		bodies++
		if e.json, err = match.ParseJSON(string(e.JSON), rules); err != nil {
			return err
		}
	}
	if e.Hex != nil {
		bodies++
		if e.hex, err = hex.DecodeString(*e.Hex); err != nil {
			return err
		}
	}
	if e.Records != nil {
		bodies++
		if err := e.compileRecords(rules); err != nil {
			return err
		}
	}
	if bodies > 1 {
		return errors.New("only one of body, json, hex and records can be expected")
	}
	for _, source := range e.Ignore {
		pattern, err := match.ParseJSON(string(source), match.Rules{})
		if err != nil {
			return err
		}
		e.ignore = append(e.ignore, pattern)
	}
	return nil
}

// compileRecords makes one pattern for all records: an array.
func (e *Expect) compileRecords(rules match.Rules) error {
	node, err := match.Parse(string(e.Records))
	if err != nil {
		return err
	}
	if node.Kind != match.Array {
		return errors.New("records are a list")
	}
	pattern, err := match.ParseJSON(string(e.Records), rules)
	if err != nil {
		return err
	}
	e.records, e.count = pattern, len(node.Items)
	return nil
}

// patience is how long a step may take.
func (s *Step) patience() time.Duration {
	if s.Within > 0 {
		return time.Duration(s.Within * float64(time.Second))
	}
	return 10 * time.Second
}
