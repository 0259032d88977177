package playjson

import (
	"strconv"

	"stoa/marathon/level"
	"stoa/marathon/timestamp"
)

// Style chooses between the original's two serialisers, which write numbers differently.
type Style uint8

const (
	// Jackson writes REST answers: 1.0.
	Jackson Style = iota
	// Play writes events, errors and /v2/info: 1.
	Play
)

// Writer appends JSON to a buffer, key by key in the order of the calls. Commas are its
// business; matching Begin with End is the caller's.
type Writer struct {
	Buf   []byte
	Style Style
	// Level is the release whose shapes are wanted; it is for callers to look at.
	Level level.Level
}

// StyleAt is how a release writes the numbers of REST answers; present is the style of
// what is written with the other serialiser today. Play wrote 1.0 as well once.
func StyleAt(at level.Level, present Style) Style {
	switch {
	case at.Before(level.V0_13):
		return Jackson
	case at.Before(level.Jackson):
		return Play
	default:
		return present
	}
}

// comma goes before whatever is not the first in its scope.
func (w *Writer) comma() {
	if n := len(w.Buf); n > 0 {
		switch w.Buf[n-1] {
		case '{', '[', ':', ',':
		default:
			w.Buf = append(w.Buf, ',')
		}
	}
}

// BeginObject opens an object as the next element or the value of the last key.
func (w *Writer) BeginObject() { w.comma(); w.Buf = append(w.Buf, '{') }

// EndObject closes it.
func (w *Writer) EndObject() { w.Buf = append(w.Buf, '}') }

// BeginArray opens an array as the next element or the value of the last key.
func (w *Writer) BeginArray() { w.comma(); w.Buf = append(w.Buf, '[') }

// EndArray closes it.
func (w *Writer) EndArray() { w.Buf = append(w.Buf, ']') }

// Key writes the key of the next value; keys are plain ASCII words.
func (w *Writer) Key(key string) {
	w.comma()
	w.Buf = append(w.Buf, '"')
	w.Buf = append(w.Buf, key...)
	w.Buf = append(w.Buf, '"', ':')
}

// AnyKey writes a key that may hold anything.
func (w *Writer) AnyKey(key string) {
	w.comma()
	w.Buf = append(AppendString(w.Buf, key), ':')
}

// String writes a string value.
func (w *Writer) String(value string) { w.comma(); w.Buf = AppendString(w.Buf, value) }

// Int writes a whole number.
func (w *Writer) Int(value int64) { w.comma(); w.Buf = strconv.AppendInt(w.Buf, value, 10) }

// Double writes a number that is a double in the original, in the writer's style.
func (w *Writer) Double(value float64) {
	w.comma()
	if w.Style == Play {
		w.Buf = AppendPlayDouble(w.Buf, value)
		return
	}
	w.Buf = AppendJavaDouble(w.Buf, value)
}

// Bool writes true or false.
func (w *Writer) Bool(value bool) { w.comma(); w.Buf = strconv.AppendBool(w.Buf, value) }

// Null writes null.
func (w *Writer) Null() { w.comma(); w.Buf = append(w.Buf, "null"...) }

// Time writes a timestamp.
func (w *Writer) Time(value timestamp.Timestamp) {
	w.comma()
	w.Buf = append(w.Buf, '"')
	w.Buf = value.Append(w.Buf)
	w.Buf = append(w.Buf, '"')
}

// Raw writes a value that is JSON already.
func (w *Writer) Raw(value []byte) { w.comma(); w.Buf = append(w.Buf, value...) }

// StringField writes a key with a string.
func (w *Writer) StringField(key, value string) { w.Key(key); w.String(value) }

// OptionalString writes a key with a string, unless it is "".
func (w *Writer) OptionalString(key, value string) {
	if value != "" {
		w.StringField(key, value)
	}
}

// IntField writes a key with a whole number.
func (w *Writer) IntField(key string, value int) { w.Key(key); w.Int(int64(value)) }

// DoubleField writes a key with a double.
func (w *Writer) DoubleField(key string, value float64) { w.Key(key); w.Double(value) }

// BoolField writes a key with true or false.
func (w *Writer) BoolField(key string, value bool) { w.Key(key); w.Bool(value) }

// TimeField writes a key with a timestamp.
func (w *Writer) TimeField(key string, value timestamp.Timestamp) { w.Key(key); w.Time(value) }

// StringsField writes a key with an array of strings.
func (w *Writer) StringsField(key string, values []string) {
	w.Key(key)
	w.BeginArray()
	for _, value := range values {
		w.String(value)
	}
	w.EndArray()
}
