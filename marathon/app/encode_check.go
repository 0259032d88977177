package app

import (
	"stoa/marathon/level"
	"stoa/marathon/playjson"
)

func (a *App) writeChecks(w *playjson.Writer) {
	if len(a.HealthChecks) > 0 {
		w.Key("healthChecks")
		w.BeginArray()
		for i := range a.HealthChecks {
			a.HealthChecks[i].Write(w)
		}
		w.EndArray()
	}
	if a.Check != nil && !w.Level.Before(level.V1_8) {
		a.Check.write(w)
	}
}

// Write writes the health check as clients see it (AppHealthCheck of healthCheck.raml).
func (h *HealthCheck) Write(w *playjson.Writer) {
	w.BeginObject()
	if h.Protocol == HealthCommand {
		w.Key("command")
		w.BeginObject()
		w.StringField("value", h.Command)
		w.EndObject()
	}
	secondsField(w, "gracePeriodSeconds", h.GracePeriod)
	if h.Protocol == HealthHTTP || h.Protocol == HealthHTTPS {
		w.BoolField("ignoreHttp1xx", h.IgnoreHTTP1xx)
	}
	secondsField(w, "intervalSeconds", h.Interval)
	w.IntField("maxConsecutiveFailures", h.MaxConsecutiveFailures)
	optionalString(w, "path", h.Path)
	optionalInt(w, "port", h.Port)
	optionalInt(w, "portIndex", h.PortIndex)
	w.StringField("protocol", string(h.Protocol))
	w.StringField("ipProtocol", string(h.IPProtocol))
	secondsField(w, "timeoutSeconds", h.Timeout)
	secondsField(w, "delaySeconds", h.Delay)
	w.EndObject()
}

func (c *Check) write(w *playjson.Writer) {
	w.Key("check")
	w.BeginObject()
	switch c.Protocol {
	case CheckHTTP:
		w.Key("http")
		w.BeginObject()
		optionalInt(w, "portIndex", c.PortIndex)
		optionalInt(w, "port", c.Port)
		optionalString(w, "path", c.Path)
		w.StringField("scheme", c.Scheme)
		w.EndObject()
	case CheckTCP:
		w.Key("tcp")
		w.BeginObject()
		optionalInt(w, "portIndex", c.PortIndex)
		optionalInt(w, "port", c.Port)
		w.EndObject()
	default:
		w.Key("exec")
		w.BeginObject()
		w.Key("command")
		w.BeginObject()
		if c.Shell != nil {
			w.StringField("shell", *c.Shell)
		} else {
			w.StringsField("argv", c.Argv)
		}
		w.EndObject()
		w.EndObject()
	}
	secondsField(w, "intervalSeconds", c.Interval)
	secondsField(w, "timeoutSeconds", c.Timeout)
	secondsField(w, "delaySeconds", c.Delay)
	w.EndObject()
}

func (a *App) writeReadiness(w *playjson.Writer, always bool) {
	if len(a.ReadinessChecks) == 0 && !always {
		return
	}
	w.Key("readinessChecks")
	w.BeginArray()
	for i := range a.ReadinessChecks {
		check := &a.ReadinessChecks[i]
		w.BeginObject()
		w.StringField("name", check.Name)
		w.StringField("protocol", check.Protocol)
		w.StringField("path", check.Path)
		w.StringField("portName", check.PortName)
		secondsField(w, "intervalSeconds", check.Interval)
		secondsField(w, "timeoutSeconds", check.Timeout)
		w.Key("httpStatusCodesForReady")
		w.BeginArray()
		for _, code := range check.HTTPStatusCodesForReady {
			w.Int(int64(code))
		}
		w.EndArray()
		w.BoolField("preserveLastResponse", check.PreserveLastResponse)
		w.EndObject()
	}
	w.EndArray()
}
