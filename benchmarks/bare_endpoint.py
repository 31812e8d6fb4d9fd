"""The ceiling of the framework: the fraud request, validated, and a constant response."""

from fastapi import FastAPI

from project_package.fraud.schemas import FraudRequest, FraudResponse
from project_package.serving.routes import Instances, Predictions

REASON = {"feature": "amount", "meaning": "amount of the payment", "effect": 0.5}
ANSWER = {
    "model_version": "1",
    "predictions": [{"score": 0.1, "decision": "approve", "reasons": [REASON] * 3}],
}
app = FastAPI()


@app.post("/v1/predict", response_model=Predictions[FraudResponse])
async def predict(_: Instances[FraudRequest]) -> object:
    """Return the same answer to all."""
    return ANSWER
