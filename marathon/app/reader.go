package app

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// Keys of read failures, as play-json names them.
const (
	expectedString  = "error.expected.jsstring"
	expectedNumber  = "error.expected.jsnumber"
	expectedInt     = "error.expected.int"
	expectedLong    = "error.expected.long"
	expectedBool    = "error.expected.jsboolean"
	expectedArray   = "error.expected.jsarray"
	expectedObject  = "error.expected.jsobject"
	expectedDate    = "error.expected.date"
	expectedISODate = "error.expected.date.isoformat"
	tooSmall        = "error.min"
	tooBig          = "error.max"
	tooShort        = "error.minLength"
	tooLong         = "error.maxLength"
	patternMismatch = "error.pattern"
	unknownLiteral  = "error.unknown.enum.literal"
	missing         = "error.path.missing"
	unlimitedLength = -1
	highestPort     = 65535
	longestURI      = 1024
	longestName     = 63
)

// The patterns of stringTypes.raml; each must match the whole string.
var (
	pathIDPattern      = regexp.MustCompile(`^(?:(/?((\.\.)|(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9]))?($|/))+)$`)
	legacyNamePattern  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	networkNamePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$`)
	executorPattern    = regexp.MustCompile(`^(?:(//cmd)|(/?[^/]+(/[^/]+)*)|)$`)
)

// findings are violations in order of discovery, each once per place.
type findings struct {
	list []Violation
	seen map[Violation]struct{}
}

func (f *findings) add(path, message string) {
	violation := Violation{path, message}
	if _, again := f.seen[violation]; again {
		return
	}
	if f.seen == nil {
		f.seen = map[Violation]struct{}{}
	}
	f.seen[violation] = struct{}{}
	f.list = append(f.list, violation)
}

// Reader is one JSON value being read into types, with its place in the document. A value
// of the wrong type is noted and reads as zero; Err tells at the end.
type Reader struct {
	failures *findings
	path     string
	value    *playjson.Value
}

// NewReader starts reading a document.
func NewReader(document *playjson.Value) Reader {
	return Reader{&findings{}, "", document}
}

// Err is the *ReadError of everything read so far; nil when all was well.
func (r Reader) Err() error {
	if len(r.failures.list) == 0 {
		return nil
	}
	return &ReadError{r.failures.list}
}

// Fail notes a failure at this place.
func (r Reader) Fail(message string) { r.failures.add(r.path, message) }

// Optional gives a member; ok is false when it is missing or null, or this is no object.
func (r Reader) Optional(key string) (member Reader, ok bool) {
	value, ok := r.value.Get(key)
	if !ok || value.Kind == playjson.Null {
		return Reader{}, false
	}
	return Reader{r.failures, r.path + "/" + key, value}, true
}

// Required gives a member that must be there, null or not; its absence is noted with the
// sentence of JsLookup.
func (r Reader) Required(key string) (member Reader, ok bool) {
	if value, ok := r.value.Get(key); ok {
		return Reader{r.failures, r.path + "/" + key, value}, true
	}
	if r.value.Kind != playjson.Object {
		r.failures.add(r.path+"/"+key, r.value.String()+" is not an object")
		return Reader{}, false
	}
	r.failures.add(r.path+"/"+key, "'"+key+"' is undefined on object: "+r.value.String())
	return Reader{}, false
}

// Mandatory is Required for types whose reader is derived by the library: another text,
// and the value as a whole must be an object.
func (r Reader) Mandatory(key string) (member Reader, ok bool) {
	if value, ok := r.value.Get(key); ok {
		return Reader{r.failures, r.path + "/" + key, value}, true
	}
	r.failures.add(r.path+"/"+key, missing)
	return Reader{}, false
}

// isObject notes when the value is none.
func (r Reader) isObject() bool {
	if r.value.Kind != playjson.Object {
		r.Fail(expectedObject)
		return false
	}
	return true
}

// Elements gives the elements of an array.
func (r Reader) Elements() []Reader {
	if r.value.Kind != playjson.Array {
		r.Fail(expectedArray)
		return nil
	}
	elements := make([]Reader, len(r.value.Elements))
	for i := range r.value.Elements {
		elements[i] = Reader{r.failures, r.path + "(" + strconv.Itoa(i) + ")", &r.value.Elements[i]}
	}
	return elements
}

// String reads a string.
func (r Reader) String() string {
	if r.value.Kind != playjson.String {
		r.Fail(expectedString)
	}
	return r.value.Text
}

// text reads a string with bounds on its length in UTF-16 units (maxLen unlimitedLength: none)
// and, when pattern is not nil, a pattern.
func (r Reader) text(minLen, maxLen int, pattern *regexp.Regexp) string {
	if r.value.Kind != playjson.String {
		r.Fail(expectedString)
		return ""
	}
	length := len(utf16.Encode([]rune(r.value.Text)))
	if maxLen != unlimitedLength && length > maxLen {
		r.Fail(tooLong)
	}
	if length < minLen {
		r.Fail(tooShort)
	}
	if pattern != nil && !pattern.MatchString(r.value.Text) {
		r.Fail(patternMismatch)
	}
	return r.value.Text
}

// Bool reads a boolean.
func (r Reader) Bool() bool {
	if r.value.Kind != playjson.Bool {
		r.Fail(expectedBool)
	}
	return r.value.Bool
}

// Int reads a 32-bit integer; 1.0 is one.
func (r Reader) Int() int { return int(r.integer(32, expectedInt)) }

// Long reads a 64-bit integer.
func (r Reader) Long() int64 { return r.integer(64, expectedLong) }

func (r Reader) integer(bits int, wrong string) int64 {
	if r.value.Kind != playjson.Number {
		r.Fail(expectedNumber)
		return 0
	}
	value, ok := r.value.Number.Int64()
	if limit := int64(1) << (bits - 1); !ok || bits < 64 && (value < -limit || value >= limit) {
		r.Fail(wrong)
		return 0
	}
	return value
}

// intFrom reads a 32-bit integer of at least lowest.
func (r Reader) intFrom(lowest int) int {
	value := r.Int()
	if r.value.Kind == playjson.Number && value < lowest {
		r.Fail(tooSmall)
	}
	return value
}

// longFrom reads a 64-bit integer of at least lowest.
func (r Reader) longFrom(lowest int64) int64 {
	value := r.Long()
	if r.value.Kind == playjson.Number && value < lowest {
		r.Fail(tooSmall)
	}
	return value
}

// port reads a port number or index.
func (r Reader) port() int {
	value := r.Int()
	if value > highestPort {
		r.Fail(tooBig)
	}
	if value < 0 {
		r.Fail(tooSmall)
	}
	return value
}

// Float reads a number.
func (r Reader) Float() float64 {
	if r.value.Kind != playjson.Number {
		r.Fail(expectedNumber)
		return 0
	}
	return r.value.Number.Float()
}

// FloatFrom reads a number of at least lowest.
func (r Reader) FloatFrom(lowest float64) float64 {
	value := r.Float()
	if r.value.Kind == playjson.Number && value < lowest {
		r.Fail(tooSmall)
	}
	return value
}

// floatWithin reads a number between lowest and highest.
func (r Reader) floatWithin(lowest, highest float64) float64 {
	value := r.Float()
	if value > highest {
		r.Fail(tooBig)
	}
	if value < lowest {
		r.Fail(tooSmall)
	}
	return value
}

// Time reads an ISO 8601 date and time.
func (r Reader) Time() timestamp.Timestamp {
	if r.value.Kind != playjson.String {
		r.Fail(expectedDate)
		return 0
	}
	at, err := timestamp.Parse(r.value.Text)
	if err != nil {
		r.Fail(expectedISODate)
	}
	return at
}

// Literal reads one of some words, whatever their case, and gives it in its proper case.
func Literal[T ~string](r Reader, words ...T) T {
	if r.value.Kind == playjson.String {
		for _, word := range words {
			if strings.EqualFold(r.value.Text, string(word)) {
				return word
			}
		}
	}
	r.Fail(unknownLiteral)
	return ""
}

// Strings reads an array of strings. The result is not nil.
func (r Reader) Strings() []string {
	list := []string{}
	for _, element := range r.Elements() {
		list = append(list, element.String())
	}
	return list
}

// StringSet reads an array of strings, each counted once. The result is not nil.
func (r Reader) StringSet() []string { return distinct(r.Strings(), itself) }

// stringLists reads a set of arrays of strings.
func (r Reader) stringLists() [][]string {
	lists := [][]string{}
	for _, element := range r.Elements() {
		lists = append(lists, element.Strings())
	}
	return distinct(lists, func(list []string) string {
		var key strings.Builder
		for _, text := range list {
			key.WriteString(strconv.Itoa(len(text)) + ":" + text)
		}
		return key.String()
	})
}

// stringMap reads an object of strings. The result is not nil.
func (r Reader) stringMap() Map[string] { return readMap(r, Reader.String) }

func readMap[V any](r Reader, read func(Reader) V) Map[V] {
	values := Map[V]{}
	if !r.isObject() {
		return values
	}
	for i, key := range r.value.Keys {
		values = append(values, Entry[V]{key, read(Reader{r.failures, r.path + "/" + key, &r.value.Elements[i]})})
	}
	return values
}

// optional reads a member that may be missing.
func optional[T any](r Reader, key string, read func(Reader) T) *T {
	member, ok := r.Optional(key)
	if !ok {
		return nil
	}
	value := read(member)
	return &value
}

// orElse reads a member, or gives a default for a missing one.
func orElse[T any](r Reader, key string, read func(Reader) T, otherwise T) T {
	if member, ok := r.Optional(key); ok {
		return read(member)
	}
	return otherwise
}

// list reads an array member; nil when it is missing, never nil when it is there.
func list[T any](r Reader, key string, read func(Reader) T) []T {
	member, ok := r.Optional(key)
	if !ok {
		return nil
	}
	values := []T{}
	for _, element := range member.Elements() {
		values = append(values, read(element))
	}
	return values
}

// distinct keeps the first of elements with equal keys; nil stays nil.
func distinct[T any, K comparable](list []T, key func(T) K) []T {
	if list == nil {
		return nil
	}
	seen, kept := make(map[K]struct{}, len(list)), make([]T, 0, len(list))
	for _, element := range list {
		k := key(element)
		if _, again := seen[k]; !again {
			seen[k] = struct{}{}
			kept = append(kept, element)
		}
	}
	return kept
}

func itself[T comparable](element T) T { return element }

// attempt reads one alternative of a union: what it notes is thrown away when it fails.
func attempt[T any](r Reader, read func(Reader) T) (value T, ok bool) {
	trial := Reader{&findings{}, r.path, r.value}
	value = read(trial)
	return value, len(trial.failures.list) == 0
}
