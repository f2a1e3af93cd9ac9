CREATE TYPE urgency AS ENUM ('low', 'very high');
