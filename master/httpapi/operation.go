package httpapi

import (
	"errors"
	"net/http"

	"stoa/internal/httpd"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// operate carries out the calls about reservations and volumes. It says whether the call
// was one of them.
func (s *server) operate(a answer, call *masterpb.Call) bool {
	op := &mesospb.Offer_Operation{}
	agent := ""
	switch call.GetType() {
	case masterpb.Call_RESERVE_RESOURCES:
		reserve := call.GetReserveResources()
		agent = reserve.GetAgentId().GetValue()
		op = reserveOperation(reserve.GetSource(), reserve.GetResources())
	case masterpb.Call_UNRESERVE_RESOURCES:
		agent = call.GetUnreserveResources().GetAgentId().GetValue()
		op = unreserveOperation(call.GetUnreserveResources().GetResources())
	case masterpb.Call_CREATE_VOLUMES:
		agent = call.GetCreateVolumes().GetAgentId().GetValue()
		op = createOperation(call.GetCreateVolumes().GetVolumes())
	case masterpb.Call_DESTROY_VOLUMES:
		agent = call.GetDestroyVolumes().GetAgentId().GetValue()
		op = destroyOperation(call.GetDestroyVolumes().GetVolumes())
	case masterpb.Call_GROW_VOLUME:
		grow := call.GetGrowVolume()
		agent = grow.GetAgentId().GetValue()
		op.Type = mesospb.Offer_Operation_GROW_VOLUME.Enum()
		op.GrowVolume = &mesospb.Offer_Operation_GrowVolume{Volume: grow.GetVolume(), Addition: grow.GetAddition()}
	case masterpb.Call_SHRINK_VOLUME:
		shrink := call.GetShrinkVolume()
		agent = shrink.GetAgentId().GetValue()
		op.Type = mesospb.Offer_Operation_SHRINK_VOLUME.Enum()
		op.ShrinkVolume = &mesospb.Offer_Operation_ShrinkVolume{Volume: shrink.GetVolume(), Subtract: shrink.GetSubtract()}
	default:
		return false
	}
	s.askOperation(a.c, agent, op)
	return true
}

func (s *server) askOperation(c *gin.Context, agent string, op *mesospb.Offer_Operation) {
	s.ask(c, func(id core.RequestID) core.Event {
		return core.Operate{Request: id, Agent: agent, Operation: op, Principal: principalOf(c), Authorize: s.allowedOperation(c)}
	})
}

func reserveOperation(source, list []*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:    mesospb.Offer_Operation_RESERVE.Enum(),
		Reserve: &mesospb.Offer_Operation_Reserve{Source: source, Resources: list},
	}
}

func unreserveOperation(list []*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:      mesospb.Offer_Operation_UNRESERVE.Enum(),
		Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: list},
	}
}

func createOperation(list []*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:   mesospb.Offer_Operation_CREATE.Enum(),
		Create: &mesospb.Offer_Operation_Create{Volumes: list},
	}
}

func destroyOperation(list []*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:    mesospb.Offer_Operation_DESTROY.Enum(),
		Destroy: &mesospb.Offer_Operation_Destroy{Volumes: list},
	}
}

// operationForm is an unversioned endpoint for operations: its body is a form with the
// agent's id and JSON arrays of resources.
type operationForm struct {
	// field holds the resources; parsing begins the text about one that is no such
	// array, which is not quite the same everywhere.
	field, parsing string
	operation      func([]*mesospb.Resource) *mesospb.Offer_Operation
}

var operationForms = map[string]operationForm{
	"reserve": {"resources", "Error parsing", func(list []*mesospb.Resource) *mesospb.Offer_Operation {
		return reserveOperation(nil, list)
	}},
	"unreserve":       {"resources", "Error in parsing", unreserveOperation},
	"create-volumes":  {"volumes", "Error in parsing", createOperation},
	"destroy-volumes": {"volumes", "Error in parsing", destroyOperation},
}

// serve is the handler of the endpoint.
func (f operationForm) serve(s *server) gin.HandlerFunc {
	return func(c *gin.Context) {
		body, ok := httpd.Body(c, 0)
		if !ok {
			return
		}
		form, err := httpd.ParseQuery(string(body))
		if err != nil {
			httpd.Text(c, http.StatusBadRequest, "Unable to decode query string: "+err.Error())
			return
		}
		agent, ok := form["slaveId"]
		if !ok {
			httpd.Text(c, http.StatusBadRequest, "Missing 'slaveId' query parameter in the request body")
			return
		}
		list, err := f.list(form, f.field)
		if err != nil {
			httpd.Text(c, http.StatusBadRequest, err.Error())
			return
		}
		op := f.operation(list)
		if _, ok := form["source"]; ok && op.Reserve != nil {
			if op.Reserve.Source, err = f.list(form, "source"); err != nil {
				httpd.Text(c, http.StatusBadRequest, err.Error())
				return
			}
		}
		s.askOperation(c, agent, op)
	}
}

func (f operationForm) list(form map[string]string, field string) ([]*mesospb.Resource, error) {
	text, ok := form[field]
	if !ok {
		return nil, errors.New("Missing '" + field + "' query parameter in the request body")
	}
	v, err := mesosjson.ParseKind([]byte(text), mesosjson.ArrayKind)
	if err == nil {
		var list []*mesospb.Resource
		if list, err = mesosjson.UnmarshalList[mesospb.Resource](v, mesosjson.V0); err == nil {
			return list, nil
		}
	}
	return nil, errors.New(f.parsing + " '" + field + "' query parameter in the request body: " + err.Error())
}
