package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"github.com/gin-gonic/gin"
	"google.golang.org/protobuf/proto"
)

// operator serves POST /api/v1 (src/master/http.cpp, Master::Http::api). Who asks and who
// leads was checked before; then come recovery, the method, the body, what is in it, and
// only then the form of the answer.
func (s *server) operator(c *gin.Context) {
	if !s.config.Recovered() {
		httpd.Text(c, http.StatusServiceUnavailable, "Master has not finished recovery")
		return
	}
	if !httpd.Allow(c, http.MethodPost) {
		return
	}
	call, ok := readCall(c)
	if !ok {
		return
	}
	if text := validateCall(call); text != "" {
		httpd.Text(c, http.StatusBadRequest, "Failed to validate master::Call: "+text)
		return
	}
	a := answer{c: c, json: httpd.AcceptsType(c.Request, httpd.TypeJSON)}
	if !a.json && !httpd.AcceptsType(c.Request, httpd.TypeProtobuf) {
		httpd.Text(c, http.StatusNotAcceptable, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")
		return
	}
	s.call(a, call)
}

// readCall decodes the body by its exact Content-Type, or answers why it cannot.
func readCall(c *gin.Context) (*masterpb.Call, bool) {
	types := c.Request.Header["Content-Type"]
	if len(types) == 0 {
		httpd.Text(c, http.StatusBadRequest, "Expecting 'Content-Type' to be present")
		return nil, false
	}
	body, ok := httpd.Body(c, 0)
	if !ok {
		return nil, false
	}
	call := new(masterpb.Call)
	switch types[0] {
	case httpd.TypeProtobuf:
		if proto.Unmarshal(body, call) != nil {
			httpd.Text(c, http.StatusBadRequest, "Failed to parse body into Call protobuf")
			return nil, false
		}
	case httpd.TypeJSON:
		if err := mesosjson.Unmarshal(body, call, mesosjson.V1); err != nil {
			text := "Failed to parse body into JSON: "
			if conversion := new(mesosjson.ConversionError); errors.As(err, &conversion) {
				text = "Failed to convert JSON into Call protobuf: "
			}
			httpd.Text(c, http.StatusBadRequest, text+err.Error())
			return nil, false
		}
	default:
		httpd.Text(c, http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of application/json or application/x-protobuf")
		return nil, false
	}
	return call, true
}

// argued are the calls that must come with the sub-message named like them.
var argued = map[masterpb.Call_Type]bool{
	masterpb.Call_GET_METRICS: true, masterpb.Call_SET_LOGGING_LEVEL: true, masterpb.Call_LIST_FILES: true,
	masterpb.Call_READ_FILE: true, masterpb.Call_UPDATE_WEIGHTS: true, masterpb.Call_RESERVE_RESOURCES: true,
	masterpb.Call_UNRESERVE_RESOURCES: true, masterpb.Call_CREATE_VOLUMES: true, masterpb.Call_DESTROY_VOLUMES: true,
	masterpb.Call_GROW_VOLUME: true, masterpb.Call_SHRINK_VOLUME: true,
	masterpb.Call_UPDATE_MAINTENANCE_SCHEDULE: true, masterpb.Call_START_MAINTENANCE: true,
	masterpb.Call_STOP_MAINTENANCE: true, masterpb.Call_DRAIN_AGENT: true, masterpb.Call_DEACTIVATE_AGENT: true,
	masterpb.Call_REACTIVATE_AGENT: true, masterpb.Call_UPDATE_QUOTA: true, masterpb.Call_SET_QUOTA: true,
	masterpb.Call_REMOVE_QUOTA: true, masterpb.Call_TEARDOWN: true, masterpb.Call_MARK_AGENT_GONE: true,
}

// validateCall returns what is wrong with a call, in the original's words
// (src/master/validation.cpp), or nothing.
func validateCall(call *masterpb.Call) string {
	if call.Type == nil {
		return "Expecting 'type' to be present"
	}
	if argued[call.GetType()] {
		name := strings.ToLower(call.GetType().String())
		m := call.ProtoReflect()
		field := m.Descriptor().Fields().ByTextName(name)
		if field == nil || !m.Has(field) {
			return "Expecting '" + name + "' to be present"
		}
	}
	if (call.GrowVolume != nil && call.GrowVolume.AgentId == nil && call.GetType() == masterpb.Call_GROW_VOLUME) ||
		(call.ShrinkVolume != nil && call.ShrinkVolume.AgentId == nil && call.GetType() == masterpb.Call_SHRINK_VOLUME) {
		return "Expecting 'agent_id' to be present; only agent default resources are supported right now"
	}
	var list []*mesospb.Resource
	switch call.GetType() {
	case masterpb.Call_RESERVE_RESOURCES:
		list = call.GetReserveResources().GetResources()
	case masterpb.Call_UNRESERVE_RESOURCES:
		list = call.GetUnreserveResources().GetResources()
	}
	if err := resources.ValidateAll(list); err != nil {
		return err.Error()
	}
	return ""
}

// answer writes the outcome of a call in the form the client accepts; JSON is preferred.
type answer struct {
	c    *gin.Context
	json bool
}

// message answers with a response that JSON shows like any other message.
func (a answer) message(r *masterpb.Response) { a.write(r, mesosjson.V1) }

// hybrid answers with a response that JSON shows as a v0 message with v1 names, with the
// arrays of its sub-message there even if they are empty.
func (a answer) hybrid(kind masterpb.Response_Type, encode func(dst *[]byte), message func(*masterpb.Response)) {
	if !a.json {
		r := &masterpb.Response{}
		message(r)
		a.write(r, mesosjson.AsV1)
		return
	}
	buf := documents.Get().(*[]byte)
	*buf = (*buf)[:0]
	o := mesosjson.BeginObject(buf)
	o.String("type", kind.String())
	o.Key(strings.ToLower(kind.String()))
	encode(buf)
	o.End()
	httpd.Bytes(a.c, http.StatusOK, httpd.TypeJSON, *buf)
	if cap(*buf) <= keptDocument {
		documents.Put(buf)
	}
}

func (a answer) write(r *masterpb.Response, d mesosjson.Dialect) {
	if a.json {
		httpd.Bytes(a.c, http.StatusOK, httpd.TypeJSON, mesosjson.Append(nil, r, d))
		return
	}
	// Deterministic, so that a client that compares answers sees no change where
	// there is none.
	body, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(r)
	if err != nil {
		httpd.Text(a.c, http.StatusInternalServerError, err.Error())
		return
	}
	httpd.Bytes(a.c, http.StatusOK, httpd.TypeProtobuf, body)
}

// call carries out a valid call.
func (s *server) call(a answer, call *masterpb.Call) {
	kind := call.GetType()
	if s.readDaemon(a, kind, call) {
		return
	}
	if s.readState(a, kind) {
		return
	}
	if s.maintain(a, call) || s.directAgent(a, call) || s.quotaCall(a, call) || s.operate(a, call) {
		return
	}
	switch kind {
	case masterpb.Call_SET_LOGGING_LEVEL:
		if !s.allowed(a.c, auth.SetLogLevel, nil) {
			return
		}
		set := call.SetLoggingLevel
		s.setVerbosity(int(set.GetLevel()), time.Duration(set.GetDuration().GetNanoseconds()))
		httpd.Empty(a.c, http.StatusOK)
	case masterpb.Call_UPDATE_WEIGHTS:
		s.updateWeights(a.c, call.GetUpdateWeights().GetWeightInfos())
	case masterpb.Call_SUBSCRIBE:
		s.watch(a)
	case masterpb.Call_TEARDOWN:
		s.tearDown(a.c, call.GetTeardown().GetFrameworkId().GetValue())
	default:
		unsupported(a.c)
	}
}
