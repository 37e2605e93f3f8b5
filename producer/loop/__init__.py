"""The loop shown whole: people rate, a model learns, a gate and a canary decide, the better version serves."""
