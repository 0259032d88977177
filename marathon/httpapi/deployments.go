package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
)

// deployments is GET /v2/deployments (raml/DeploymentPlanConversion.scala).
func (s *server) deployments(c *gin.Context) error {
	view := s.Backend.Snapshot()
	w := s.newDocument()
	w.BeginArray()
	for i := range view.Deployments {
		view.Deployments[i].write(w)
	}
	w.EndArray()
	return answer(c, w)
}

func (d *Deployment) write(w *playjson.Writer) {
	w.BeginObject()
	w.StringField("id", d.ID)
	old := w.Level.Before(level.V1_5)
	if !old {
		w.Key("steps")
		writeSteps(w, d.Steps)
	}
	w.TimeField("version", d.Version)
	w.Key("affectedApps")
	w.BeginArray()
	for _, appID := range d.affected() {
		w.String(appID.String())
	}
	w.EndArray()
	if !w.Level.Before(level.V1_4) {
		w.Key("affectedPods")
		w.BeginArray()
		w.EndArray()
	}
	if old {
		w.Key("steps")
		writeSteps(w, d.Steps)
	}
	w.Key("currentActions")
	w.BeginArray()
	if d.CurrentStep > 0 && d.CurrentStep <= len(d.Steps) {
		for _, action := range d.Steps[d.CurrentStep-1].Actions {
			w.BeginObject()
			action.writeFields(w)
			if !w.Level.Before(level.V1_1) {
				w.Key("readinessCheckResults")
				writeReadiness(w, d.Readiness[action.AppID])
			}
			w.EndObject()
		}
	}
	w.EndArray()
	w.IntField("currentStep", d.CurrentStep)
	w.IntField("totalSteps", len(d.Steps))
	w.EndObject()
}

func (a Action) writeFields(w *playjson.Writer) {
	w.StringField("action", a.Kind)
	w.StringField("app", a.AppID.String())
}

func writeSteps(w *playjson.Writer, steps []Step) {
	w.BeginArray()
	for _, step := range steps {
		// Steps were plain lists of actions once.
		named := !w.Level.Before(level.V1_0)
		if named {
			w.BeginObject()
			w.Key("actions")
		}
		w.BeginArray()
		for _, action := range step.Actions {
			w.BeginObject()
			if named && w.Level.Before(level.V1_1_2) {
				w.StringField("type", action.Kind)
				w.StringField("app", action.AppID.String())
			} else {
				action.writeFields(w)
			}
			w.EndObject()
		}
		w.EndArray()
		if named {
			w.EndObject()
		}
	}
	w.EndArray()
}

// deleteDeployment is DELETE /v2/deployments/{id}: a rollback, or with force a bare cancel.
func (s *server) deleteDeployment(c *gin.Context, deploymentID string) error {
	force := flag(c, "force", false)
	result, found, err := s.Backend.DeleteDeployment(c.Request.Context(), deploymentID, force)
	switch {
	case err != nil:
		return err
	case !found:
		return s.messageAndNothing(c, http.StatusNotFound, "DeploymentPlan "+deploymentID+" does not exist")
	case force:
		httpd.Empty(c, http.StatusAccepted)
		return nil
	default:
		return s.deployed(c, http.StatusOK, result)
	}
}
