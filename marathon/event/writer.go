package event

import (
	"time"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// writer writes the parts that several events have.
type writer struct{ playjson.Writer }

func (w *writer) null(name string) {
	w.Key(name)
	w.Null()
}

func (w *writer) array(n int, element func(int)) {
	w.BeginArray()
	for i := range n {
		element(i)
	}
	w.EndArray()
}

// trailer ends most events.
func (w *writer) trailer(e Event, at timestamp.Timestamp) {
	w.StringField("eventType", typeAt(e, w.Level))
	w.TimeField("timestamp", at)
}

func (w *writer) plan(p *deployment.Plan) {
	w.Key("plan")
	w.BeginObject()
	w.StringField("id", p.ID)
	w.Key("steps")
	w.array(len(p.Steps), func(i int) { w.step(p.Steps[i]) })
	w.TimeField("version", p.Version)
	w.EndObject()
}

func (w *writer) step(s deployment.Step) {
	w.BeginObject()
	w.Key("actions")
	w.array(len(s.Actions), func(i int) {
		w.BeginObject()
		key := "action"
		if w.Level.Before(level.V1_1_2) {
			key = "type"
		}
		w.StringField(key, string(s.Actions[i].Kind))
		w.StringField("app", string(s.Actions[i].App.ID))
		w.EndObject()
	})
	w.EndObject()
}

// healthCheck has the keys of the REST API's health checks.
func (w *writer) healthCheck(h app.HealthCheck) {
	w.Key("healthCheck")
	if h.IPProtocol == "" {
		h.IPProtocol = app.IPv4
	}
	if h.Protocol.ByMarathon() {
		// Such checks have no delay of their own; the API shows the default.
		h.Delay = 15 * time.Second
	}
	if w.Level.Before(level.V1_5) {
		h.WriteOld(&w.Writer)
		return
	}
	h.Write(&w.Writer)
}
