// Package timestamp holds Marathon's notion of time on the wire: an instant with
// millisecond precision, always written as UTC with exactly three fraction digits.
// Versions of apps, groups and deployments are such instants. No clock is read here.
package timestamp

import (
	"errors"
	"time"
)

// Timestamp is an instant in milliseconds since the Unix epoch. The zero value is
// 1970-01-01T00:00:00.000Z, which the original uses for "no version".
type Timestamp int64

// layout prints what the original's DateTimeFormatter prints
// (src/main/scala/mesosphere/marathon/state/Timestamp.scala).
const layout = "2006-01-02T15:04:05.000Z"

// ErrFormat says that a text is not an ISO 8601 date and time with an offset.
var ErrFormat = errors.New("not an ISO 8601 date and time with offset")

// Of truncates t to milliseconds.
func Of(t time.Time) Timestamp { return Timestamp(t.UnixMilli()) }

// Time gives the instant in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// String gives the wire form, such as 2021-02-03T04:05:06.007Z.
func (t Timestamp) String() string { return t.Time().Format(layout) }

// Append appends the wire form without quotes.
func (t Timestamp) Append(dst []byte) []byte { return t.Time().AppendFormat(dst, layout) }

// MarshalText gives the wire form.
func (t Timestamp) MarshalText() ([]byte, error) { return t.Append(nil), nil }

// UnmarshalText reads the wire form or any other form that Parse accepts.
func (t *Timestamp) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// Parse reads an ISO 8601 date and time. Seconds and their fraction may be missing; the
// offset (Z, +01, +0100 or +01:00) may not. More than three fraction digits are cut off.
func Parse(text string) (Timestamp, error) {
	// java.time's ISO_OFFSET_DATE_TIME accepts lower case letters too.
	for _, form := range forms {
		if parsed, err := time.Parse(form, text); err == nil {
			return Of(parsed), nil
		}
	}
	return 0, ErrFormat
}

// Go reads a fraction after the seconds even where the form has none.
var forms = [...]string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
}
