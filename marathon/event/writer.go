package event

import (
	"strconv"
	"time"
	"unicode/utf8"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/timestamp"
)

// writer appends the members of JSON objects in the order of the calls.
type writer struct{ dst []byte }

func (w *writer) key(name string) {
	if last := w.dst[len(w.dst)-1]; last != '{' {
		w.dst = append(w.dst, ',')
	}
	w.dst = appendString(w.dst, name)
	w.dst = append(w.dst, ':')
}

func (w *writer) open()  { w.dst = append(w.dst, '{') }
func (w *writer) close() { w.dst = append(w.dst, '}') }

func (w *writer) text(name, value string) {
	w.key(name)
	w.dst = appendString(w.dst, value)
}

func (w *writer) null(name string) {
	w.key(name)
	w.dst = append(w.dst, "null"...)
}

func (w *writer) boolean(name string, value bool) {
	w.key(name)
	w.dst = strconv.AppendBool(w.dst, value)
}

func (w *writer) number(name string, value int64) {
	w.key(name)
	w.dst = strconv.AppendInt(w.dst, value, 10)
}

func (w *writer) seconds(name string, d time.Duration) { w.number(name, int64(d/time.Second)) }

func (w *writer) array(n int, element func(int)) {
	w.dst = append(w.dst, '[')
	for i := range n {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		element(i)
	}
	w.dst = append(w.dst, ']')
}

// trailer ends most events.
func (w *writer) trailer(e Event, at timestamp.Timestamp) {
	w.text("eventType", e.Type())
	w.text("timestamp", at.String())
}

func (w *writer) plan(p *deployment.Plan) {
	w.key("plan")
	w.open()
	w.text("id", p.ID)
	w.key("steps")
	w.array(len(p.Steps), func(i int) { w.step(p.Steps[i]) })
	w.text("version", p.Version.String())
	w.close()
}

func (w *writer) step(s deployment.Step) {
	w.open()
	w.key("actions")
	w.array(len(s.Actions), func(i int) {
		w.open()
		w.text("action", string(s.Actions[i].Kind))
		w.text("app", string(s.Actions[i].App.ID))
		w.close()
	})
	w.close()
}

// healthCheck has the keys of the REST API's health checks.
func (w *writer) healthCheck(h app.HealthCheck) {
	w.key("healthCheck")
	w.open()
	if h.Protocol == app.HealthCommand {
		w.key("command")
		w.open()
		w.text("value", h.Command)
		w.close()
	}
	w.seconds("gracePeriodSeconds", h.GracePeriod)
	if h.Protocol == app.HealthHTTP || h.Protocol == app.HealthHTTPS {
		w.boolean("ignoreHttp1xx", h.IgnoreHTTP1xx)
	}
	w.seconds("intervalSeconds", h.Interval)
	w.number("maxConsecutiveFailures", int64(h.MaxConsecutiveFailures))
	if h.Path != nil {
		w.text("path", *h.Path)
	}
	if h.Port != nil {
		w.number("port", int64(*h.Port))
	}
	if h.PortIndex != nil {
		w.number("portIndex", int64(*h.PortIndex))
	}
	w.text("protocol", string(h.Protocol))
	ip := h.IPProtocol
	if ip == "" {
		ip = app.IPv4
	}
	w.text("ipProtocol", string(ip))
	w.seconds("timeoutSeconds", h.Timeout)
	delay := h.Delay
	if h.Protocol.ByMarathon() {
		// Such checks have no delay of their own; the API shows the default.
		delay = 15 * time.Second
	}
	w.seconds("delaySeconds", delay)
	w.close()
}

// appendString quotes the way Jackson and Play do: everything that is not a control
// character, a quote or a backslash stays as it is.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		i++
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}
