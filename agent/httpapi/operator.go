package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"stoa/agent/core"
	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/agentpb"
	"stoa/internal/mesos/mesosjson"
)

const typeRecordIO = "application/recordio"

// operator answers POST /api/v1, checks in the original's order (Http::api in
// src/slave/http.cpp).
func (s *server) operator(c *gin.Context) {
	view := s.View(c.Request.Context())
	if view.State == core.Recovering {
		httpd.Text(c, http.StatusServiceUnavailable, "Agent has not finished recovery")
		return
	}
	if !httpd.Allow(c, http.MethodPost) {
		return
	}
	contentType, ok := operatorContentType(c)
	if !ok {
		return
	}
	accept, ok := operatorAccept(c)
	if !ok {
		return
	}
	if contentType == typeRecordIO {
		// The only call that streams its request is not part of this agent.
		httpd.Text(c, http.StatusBadRequest, "Received EOF while reading request body")
		return
	}
	call, ok := decodeOperatorCall(c, contentType)
	if !ok {
		return
	}
	if call.GetType() == agentpb.Call_ATTACH_CONTAINER_INPUT {
		httpd.Text(c, http.StatusUnsupportedMediaType,
			"Expecting 'Content-Type' to be application/recordio for ATTACH_CONTAINER_INPUT call")
		return
	}
	if accept == typeRecordIO {
		switch call.GetType() {
		case agentpb.Call_ATTACH_CONTAINER_OUTPUT, agentpb.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		default:
			httpd.Text(c, http.StatusNotAcceptable, "Streaming response is not supported for "+call.GetType().String()+" call")
			return
		}
	}
	s.answerCall(c, view, call, accept)
}

// operatorContentType checks how the call comes. When it fails it has answered.
func operatorContentType(c *gin.Context) (string, bool) {
	refuse := func(status int, text string) (string, bool) {
		httpd.Text(c, status, text)
		return "", false
	}
	h := c.Request.Header
	values, ok := h["Content-Type"]
	if !ok {
		return refuse(http.StatusBadRequest, "Expecting 'Content-Type' to be present")
	}
	contentType := values[0]
	message, hasMessage := h["Message-Content-Type"]
	switch contentType {
	case httpd.TypeJSON, httpd.TypeProtobuf:
		if hasMessage {
			return refuse(http.StatusUnsupportedMediaType, "Expecting 'Message-Content-Type' to be not set for non-streaming requests")
		}
	case typeRecordIO:
		if !hasMessage {
			return refuse(http.StatusBadRequest, "Expecting 'Message-Content-Type' to be set for streaming requests")
		}
		if message[0] != httpd.TypeJSON && message[0] != httpd.TypeProtobuf {
			return refuse(http.StatusUnsupportedMediaType, "Expecting 'Message-Content-Type' of application/json or application/x-protobuf")
		}
	default:
		return refuse(http.StatusUnsupportedMediaType,
			"Expecting 'Content-Type' of application/json or application/x-protobuf or application/recordio")
	}
	return contentType, true
}

// operatorAccept chooses the form of the answer: JSON before protobuf before RecordIO.
func operatorAccept(c *gin.Context) (string, bool) {
	accept := ""
	for _, t := range []string{httpd.TypeJSON, httpd.TypeProtobuf, typeRecordIO} {
		if httpd.AcceptsType(c.Request, t) {
			accept = t
			break
		}
	}
	message := c.Request.Header.Get("Message-Accept")
	switch {
	case accept == "":
		httpd.Text(c, http.StatusNotAcceptable, "Expecting 'Accept' to allow application/json or application/x-protobuf or application/recordio")
		return "", false
	case accept == typeRecordIO && message != "" && message != httpd.TypeJSON && message != httpd.TypeProtobuf && message != "*/*":
		httpd.Text(c, http.StatusNotAcceptable, "Expecting 'Message-Accept' to allow application/json or application/x-protobuf")
		return "", false
	case accept != typeRecordIO && message != "":
		httpd.Text(c, http.StatusNotAcceptable, "Expecting 'Message-Accept' to be not set for non-streaming responses")
		return "", false
	}
	return accept, true
}

func decodeOperatorCall(c *gin.Context, contentType string) (*agentpb.Call, bool) {
	refuse := func(text string) (*agentpb.Call, bool) {
		httpd.Text(c, http.StatusBadRequest, text)
		return nil, false
	}
	body, ok := httpd.Body(c, 0)
	if !ok {
		return nil, false
	}
	call := &agentpb.Call{}
	if contentType == httpd.TypeProtobuf {
		if proto.Unmarshal(body, call) != nil {
			return refuse("Failed to parse body into a protobuf object")
		}
	} else if err := mesosjson.Unmarshal(body, call, mesosjson.V1); err != nil {
		var syntax *mesosjson.SyntaxError
		if errors.As(err, &syntax) {
			return refuse("Failed to parse body into JSON: " + err.Error())
		}
		return refuse(err.Error())
	}
	if problem := validateOperatorCall(call); problem != "" {
		return refuse("Failed to validate agent::Call: " + problem)
	}
	return call, true
}

// validateOperatorCall demands the part of the call that belongs to its type.
func validateOperatorCall(call *agentpb.Call) string {
	if call.Type == nil {
		return "Expecting 'type' to be present"
	}
	switch call.GetType() {
	case agentpb.Call_GET_CONTAINERS, agentpb.Call_PRUNE_IMAGES:
		return ""
	}
	m := call.ProtoReflect()
	name := protoreflect.Name(strings.ToLower(call.GetType().String()))
	if field := m.Descriptor().Fields().ByName(name); field != nil && !m.Has(field) {
		return "Expecting '" + string(name) + "' to be present"
	}
	if input := call.GetAttachContainerInput(); call.GetType() == agentpb.Call_ATTACH_CONTAINER_INPUT && input.Type == nil {
		return "Expecting 'attach_container_input.type' to be present"
	}
	return ""
}

// answerCall answers a valid call. Calls for which this agent has no part answer 501.
func (s *server) answerCall(c *gin.Context, v *core.View, call *agentpb.Call, accept string) {
	response := &agentpb.Response{Type: responseType(call.GetType()).Enum()}
	switch call.GetType() {
	case agentpb.Call_GET_HEALTH:
		response.GetHealth = &agentpb.Response_GetHealth{Healthy: proto.Bool(true)}
	case agentpb.Call_GET_FLAGS:
		if !s.allowed(c, auth.ViewFlags, nil) {
			return
		}
		response.GetFlags = s.getFlags()
	case agentpb.Call_GET_VERSION:
		response.GetVersion = s.getVersion()
	case agentpb.Call_GET_METRICS:
		response.GetMetrics = s.getMetrics(c.Request.Context())
	case agentpb.Call_GET_LOGGING_LEVEL:
		response.GetLoggingLevel = &agentpb.Response_GetLoggingLevel{Level: proto.Uint32(s.logging.get())}
	case agentpb.Call_SET_LOGGING_LEVEL:
		if !s.allowed(c, auth.SetLogLevel, nil) {
			return
		}
		set := call.GetSetLoggingLevel()
		s.logging.set(set.GetLevel(), time.Duration(set.GetDuration().GetNanoseconds()))
		httpd.Empty(c, http.StatusOK)
		return
	case agentpb.Call_LIST_FILES, agentpb.Call_READ_FILE:
		if !s.fileCall(c, call, response) {
			return
		}
	case agentpb.Call_GET_STATE, agentpb.Call_GET_TASKS, agentpb.Call_GET_EXECUTORS, agentpb.Call_GET_FRAMEWORKS:
		s.answerState(c, s.visible(c, v), call.GetType(), accept)
		return
	case agentpb.Call_GET_CONTAINERS:
		response.GetContainers = s.getContainers(c, v)
	case agentpb.Call_GET_OPERATIONS:
		response.GetOperations = &agentpb.Response_GetOperations{Operations: s.visible(c, v).Operations}
	case agentpb.Call_GET_AGENT:
		response.GetAgent = getAgent(v)
	case agentpb.Call_GET_RESOURCE_PROVIDERS:
		response.GetResourceProviders = &agentpb.Response_GetResourceProviders{}
	case agentpb.Call_PRUNE_IMAGES:
		if !s.allowed(c, auth.PruneImages, nil) {
			return
		}
		httpd.Empty(c, http.StatusOK)
		return
	default:
		httpd.Default(c, http.StatusNotImplemented)
		return
	}
	answerMessage(c, response, accept, mesosjson.V1)
}

// responseType is the type of the response to a call: both enums have the same names.
func responseType(t agentpb.Call_Type) agentpb.Response_Type {
	return agentpb.Response_Type(agentpb.Response_Type_value[t.String()])
}

func answerMessage(c *gin.Context, response proto.Message, accept string, dialect mesosjson.Dialect) {
	if accept == httpd.TypeJSON {
		httpd.Bytes(c, http.StatusOK, accept, mesosjson.Append(nil, response, dialect))
		return
	}
	body, err := (proto.MarshalOptions{Deterministic: true}).Marshal(response)
	if err != nil {
		httpd.Text(c, http.StatusInternalServerError, err.Error())
		return
	}
	httpd.Bytes(c, http.StatusOK, accept, body)
}
