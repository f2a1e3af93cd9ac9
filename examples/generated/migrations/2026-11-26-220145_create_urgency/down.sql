DROP TYPE urgency;
