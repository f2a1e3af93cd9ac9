DROP TABLE feedback;
DROP TABLE messages;
DROP TABLE conversations;
DROP TYPE message_role;
DROP TYPE conversation_status;
