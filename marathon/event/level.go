package event

import (
	"stoa/marathon/level"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// The names that events had once.
const (
	typeUnhealthyTaskKill     = "unhealthy_task_kill_event"
	typeUnknownTaskTerminated = "unknown_task_terminated_event"
)

// The releases that brought events.
const (
	v0_9   level.Level = 9_000
	v1_3_1 level.Level = 1_003_001
)

// typeAt is the name of an event in a release; "" when that release had no such event.
func typeAt(e Event, at level.Level) string {
	name := e.Type()
	if !at.Before(level.V1_4) {
		return name
	}
	since := func(first level.Level, name string) string {
		if at.Before(first) {
			return ""
		}
		return name
	}
	switch name {
	case TypeInstanceChanged, TypeInstanceHealthChanged:
		return ""
	case TypeUnhealthyInstanceKill:
		return since(level.V1_1, typeUnhealthyTaskKill)
	case TypeUnknownInstanceTerminated:
		return since(v1_3_1, typeUnknownTaskTerminated)
	case TypeStreamAttached, TypeStreamDetached:
		return since(v0_9, name)
	}
	return name
}

// EncodeAt writes the JSON of an event as a release wrote it; nothing when that release
// had no such event.
func EncodeAt(e Event, at timestamp.Timestamp, release level.Level) Encoded {
	name := typeAt(e, release)
	if name == "" {
		return Encoded{}
	}
	style := playjson.Play
	if release.Before(level.V0_13) {
		// That release's serialiser kept the fraction.
		style = playjson.Jackson
	}
	w := &writer{playjson.Writer{Buf: make([]byte, 0, 512), Style: style, Level: release}}
	w.BeginObject()
	e.body(w, at)
	w.EndObject()
	return Encoded{Type: name, JSON: w.Buf}
}
