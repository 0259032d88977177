package httpapi

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/internal/mesos/mesospb"
	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// queue is GET /v2/queue (raml/QueueInfoConversion.scala).
func (s *server) queue(c *gin.Context) error {
	items, err := s.Backend.Queue(c.Request.Context())
	if err != nil {
		return err
	}
	items = slices.SortedFunc(slices.Values(items), func(a, b QueueItem) int { return id.Compare(a.App.ID, b.App.ID) })
	unused := slices.Contains(c.QueryArray("embed"), "lastUnusedOffers")
	now := timestamp.Of(s.Now())
	w := s.newDocument()
	w.BeginObject()
	w.Key("queue")
	w.BeginArray()
	for i := range items {
		items[i].write(w, unused, now)
	}
	w.EndArray()
	w.EndObject()
	return answer(c, w)
}

func (q *QueueItem) write(w *playjson.Writer, unused bool, now timestamp.Timestamp) {
	w.BeginObject()
	w.IntField("count", q.Count)
	w.StringField("role", q.Role)
	w.Key("delay")
	w.BeginObject()
	// Whole seconds, cut off towards zero: within the last second neither time is left nor
	// is the launch overdue.
	left := int64(q.DelayUntil-now) / 1000
	if q.DelayUntil == 0 {
		left = 0
	}
	w.Key("timeLeftSeconds")
	w.Int(max(0, left))
	w.BoolField("overdue", q.DelayUntil == 0 || left < 0)
	w.EndObject()
	w.TimeField("since", q.Since)
	w.Key("processedOffersSummary")
	w.BeginObject()
	w.IntField("processedOffersCount", q.ProcessedOffers)
	w.IntField("unusedOffersCount", q.UnusedOffers)
	optionalTime(w, "lastUnusedOfferAt", q.LastUnusedOfferAt)
	optionalTime(w, "lastUsedOfferAt", q.LastUsedOfferAt)
	writeFunnel(w, "rejectSummaryLastOffers", len(q.LastUnused), q.RejectsLastOffers)
	writeFunnel(w, "rejectSummaryLaunchAttempt", q.ProcessedOffers, q.RejectsLaunchAttempt)
	w.EndObject()
	if unused {
		w.Key("lastUnusedOffers")
		w.BeginArray()
		for i := range q.LastUnused {
			q.LastUnused[i].write(w)
		}
		w.EndArray()
	}
	w.Key("app")
	w.BeginObject()
	q.App.WriteFields(w)
	w.EndObject()
	w.EndObject()
}

// writeFunnel writes all reasons in order, each with what was left to refuse.
func writeFunnel(w *playjson.Writer, key string, processed int, refused map[RejectReason]int) {
	w.Key(key)
	w.BeginArray()
	for _, reason := range Funnel {
		w.BeginObject()
		w.StringField("reason", string(reason))
		w.IntField("declined", refused[reason])
		w.IntField("processed", processed)
		w.EndObject()
		processed -= refused[reason]
	}
	w.EndArray()
}

func (u *UnusedOffer) write(w *playjson.Writer) {
	w.BeginObject()
	w.Key("offer")
	w.BeginObject()
	w.StringField("id", u.Offer.GetId().GetValue())
	w.StringField("hostname", u.Offer.GetHostname())
	w.StringField("agentId", u.Offer.GetAgentId().GetValue())
	w.Key("resources")
	w.BeginArray()
	for _, resource := range u.Offer.GetResources() {
		w.BeginObject()
		w.StringField("name", resource.GetName())
		w.StringField("role", resourceRole(resource))
		writeValue(w, resource.GetType(), resource.GetScalar(), resource.GetRanges(), resource.GetSet())
		w.EndObject()
	}
	w.EndArray()
	w.Key("attributes")
	w.BeginArray()
	for _, attribute := range u.Offer.GetAttributes() {
		w.BeginObject()
		w.StringField("name", attribute.GetName())
		if attribute.GetType() == mesospb.Value_TEXT {
			w.StringField("text", attribute.GetText().GetValue())
		}
		writeValue(w, attribute.GetType(), attribute.GetScalar(), attribute.GetRanges(), attribute.GetSet())
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
	w.Key("reason")
	w.BeginArray()
	for _, reason := range u.Reasons {
		w.String(string(reason))
	}
	w.EndArray()
	w.TimeField("timestamp", u.Timestamp)
	w.EndObject()
}

// resourceRole is the role of a resource in the form before reservation refinement.
func resourceRole(resource *mesospb.Resource) string {
	if reservations := resource.GetReservations(); len(reservations) > 0 {
		return reservations[len(reservations)-1].GetRole()
	}
	return resource.GetRole()
}

func writeValue(w *playjson.Writer, kind mesospb.Value_Type, scalar *mesospb.Value_Scalar, ranges *mesospb.Value_Ranges, set *mesospb.Value_Set) {
	switch kind {
	case mesospb.Value_SCALAR:
		w.DoubleField("scalar", scalar.GetValue())
	case mesospb.Value_RANGES:
		w.Key("ranges")
		w.BeginArray()
		for _, one := range ranges.GetRange() {
			w.BeginObject()
			w.Key("begin")
			w.Int(int64(one.GetBegin()))
			w.Key("end")
			w.Int(int64(one.GetEnd()))
			w.EndObject()
		}
		w.EndArray()
	case mesospb.Value_SET:
		w.StringsField("set", set.GetItem())
	}
}

// resetDelay is DELETE /v2/queue/{id}/delay.
func (s *server) resetDelay(c *gin.Context, raw string) error {
	appID := resolve(raw)
	found, err := s.Backend.ResetDelay(c.Request.Context(), appID)
	if err != nil {
		return err
	}
	if !found {
		return s.messageAndNothing(c, http.StatusNotFound, "Application "+appID.String()+" not found in tasks queue.")
	}
	httpd.Empty(c, http.StatusNoContent)
	return nil
}
